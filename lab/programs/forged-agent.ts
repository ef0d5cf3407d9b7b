// The lab's handle of a forged agent: a program on a node that streams any message to the collector, with the certificate of
// a node.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import type { ForgedAgentReply } from './forged-agent-program.ts';

const program = new URL('forged-agent-program.ts', import.meta.url).pathname;

/** `namespace`: where it runs. `address`: host:port of the collector. The rest are paths. */
export type ForgedAgentPlace = { namespace: string; address: string; ca: string; cert: string; key: string };

export type StreamAnswer = { sequence: number; refused: string } | { ended: string };

export class ForgedAgent {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, StreamAnswer[]>();
  #ready: () => void = () => undefined;

  /** Resolves when its program runs. */
  static async start(place: ForgedAgentPlace): Promise<ForgedAgent> {
    const agent = new ForgedAgent(place);
    await new Promise<void>((resolve) => {
      agent.#ready = resolve;
    });
    return agent;
  }

  private constructor({ namespace, address, ca, cert, key }: ForgedAgentPlace) {
    const args = [`--net=/run/netns/${namespace}`, process.execPath, program, address, ca, cert, key];
    this.#child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.stdin!.on('error', () => undefined);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const reply = JSON.parse(line) as ForgedAgentReply;
      if ('ready' in reply) return this.#ready();
      const answers = this.#answers.get(reply.stream) ?? [];
      answers.push('ack' in reply ? reply.ack : { ended: reply.ended });
      this.#answers.set(reply.stream, answers);
    });
  }

  /** Opens streams that send nothing. */
  open(streams: readonly number[]): void {
    for (const stream of streams) this.#write({ open: stream });
  }

  /** Sends it on the stream, which is opened if it is new. */
  send(batch: FlowBatch, stream = 1): void {
    const bytes = flowIngestDefinition().Stream.requestSerialize(batch);
    this.#write({ open: stream, send: bytes.toString('hex') });
  }

  /** What the collector answered on the stream, in order. */
  answers(stream = 1): readonly StreamAnswer[] {
    return this.#answers.get(stream) ?? [];
  }

  /** Resolves when its program has exited. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }

  #write(command: { open: number; send?: string }): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }
}
