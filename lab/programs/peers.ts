// The programs in pods and outside hosts, as the lab holds them: started in their namespace, told what to do by lines.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ProblemError } from '../../model/problem.ts';
import { stepFailed } from '../errors.ts';
import type { PeerCommand, PeerDial, PeerListen, PeerOutcome, PeerReply } from './peer.ts';

/** `reached`: what whoever answered calls itself; empty where nobody did, or it did not say. */
export type Reached = { outcome: PeerOutcome; reached: string };

const program = new URL('peer.ts', import.meta.url).pathname;
const pingSeconds = 2;

export class Peer {
  readonly #namespace: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reached: Reached) => void>();
  #listening: (() => void) | undefined;
  #last = 0;
  #complaint = '';

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, program], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-500);
    });
    this.#child.stdin!.on('error', () => undefined);
    this.#child.once('exit', () => this.#fallSilent());
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#received(JSON.parse(line) as PeerReply));
  }

  /** Resolves when every port is open. `name` is what it calls itself. */
  listen(ports: readonly PeerListen[], name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#listening = resolve;
      this.#child.once('exit', () =>
        reject(
          new ProblemError(stepFailed(this.#namespace, this.#complaint.trim() || 'its program ended', 'see the ports')),
        ),
      );
      this.#tell({ listen: ports, name });
    });
  }

  dial(wanted: PeerDial): Promise<Reached> {
    return this.#ask((id) => ({ id, dial: wanted })).answer;
  }

  open(wanted: PeerDial, everyMs: number): { id: number; answer: Promise<Reached> } {
    return this.#ask((id) => ({ id, open: wanted, everyMs }));
  }

  /** Resolves when it is closed, or its program is gone. */
  close(id: number): Promise<Reached> {
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      if (this.#isGone) this.#fallSilent();
      else this.#tell({ id, close: true });
    });
  }

  /** One echo request by `ping`. */
  ping(address: string): Promise<Reached> {
    return new Promise((resolve) => {
      const args = [`--net=/run/netns/${this.#namespace}`, 'ping', '-c', '1', '-W', String(pingSeconds), address];
      const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'ignore'] });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.on('close', (code) => {
        const refused = /unreachable|prohibited|filtered/i.test(out) ? 'refused' : 'unanswered';
        resolve({ outcome: code === 0 ? 'established' : refused, reached: '' });
      });
    });
  }

  /** Resolves when it is gone. */
  kill(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isGone) return resolve();
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }

  get #isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #fallSilent(): void {
    for (const resolve of this.#waiting.values()) resolve({ outcome: 'unanswered', reached: '' });
    this.#waiting.clear();
  }

  #ask(command: (id: number) => PeerCommand): { id: number; answer: Promise<Reached> } {
    this.#last += 1;
    const id = this.#last;
    const answer = new Promise<Reached>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#tell(command(id));
    });
    return { id, answer };
  }

  #tell(command: PeerCommand): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  #received(reply: PeerReply): void {
    if ('listening' in reply) {
      this.#listening?.();
      return;
    }
    this.#waiting.get(reply.id)?.(reply);
    this.#waiting.delete(reply.id);
  }
}
