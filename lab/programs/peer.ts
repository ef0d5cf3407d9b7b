// The lab's handle of a program in a pod or an outside host: starts it in its namespace and sends it commands, as lines.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ProblemError } from '../../model/problem.ts';
import { stepFailed } from '../system/errors.ts';
import type { PortSpec } from '../topology/cluster.ts';
import type { PeerCommand, PeerDial, PeerReply, Reached } from './peer-program.ts';

const program = new URL('peer-program.ts', import.meta.url).pathname;
const pingSeconds = 2;

export class Peer {
  readonly #namespace: string;
  readonly #child: ChildProcess;
  readonly #pendingReplies = new Map<number, (reached: Reached) => void>();
  #listening: (() => void) | undefined;
  #lastId = 0;
  #errorText = '';

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, program], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errorText = (this.#errorText + chunk.toString()).slice(-500);
    });
    this.#child.stdin!.on('error', () => undefined);
    this.#child.once('exit', () => this.#endPending());
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#received(JSON.parse(line) as PeerReply));
  }

  /** Resolves when every port is open. The program's answers begin with `name`. */
  listen(ports: readonly PortSpec[], name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#listening = resolve;
      this.#child.once('exit', () =>
        reject(
          new ProblemError(
            stepFailed(
              this.#namespace,
              this.#errorText.trim() || 'its program exited',
              'check the ports in its manifest',
            ),
          ),
        ),
      );
      this.#send({ listen: ports, name });
    });
  }

  dial(wanted: PeerDial): Promise<Reached> {
    return this.#request((id) => ({ id, dial: wanted })).answer;
  }

  open(wanted: PeerDial, everyMs: number): { id: number; answer: Promise<Reached> } {
    return this.#request((id) => ({ id, open: wanted, everyMs }));
  }

  /** Resolves when the connection is closed, or its program has exited. */
  close(id: number): Promise<Reached> {
    return new Promise((resolve) => {
      this.#pendingReplies.set(id, resolve);
      if (this.#hasExited) this.#endPending();
      else this.#send({ id, close: true });
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

  /** Resolves when the program has exited. */
  kill(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#hasExited) return resolve();
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }

  get #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #endPending(): void {
    for (const resolve of this.#pendingReplies.values()) resolve({ outcome: 'unanswered', reached: '' });
    this.#pendingReplies.clear();
  }

  #request(command: (id: number) => PeerCommand): { id: number; answer: Promise<Reached> } {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Reached>((resolve) => {
      this.#pendingReplies.set(id, resolve);
      this.#send(command(id));
    });
    return { id, answer };
  }

  #send(command: PeerCommand): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  #received(reply: PeerReply): void {
    if ('listening' in reply) {
      this.#listening?.();
      return;
    }
    this.#pendingReplies.get(reply.id)?.(reply);
    this.#pendingReplies.delete(reply.id);
  }
}
