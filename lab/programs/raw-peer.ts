// The lab's handle of a program that sends crafted packets from a pod or an outside host (raw-peer-program.ts): packets with
// any source address, halves of handshakes, answers that nobody asked for.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ProblemError } from '../../model/problem.ts';
import { applyInside } from '../network/apply.ts';
import { linkIn } from '../network/links.ts';
import type { LabWorld } from '../network/node.ts';
import { stepFailed } from '../system/errors.ts';
import { fabricNamespace, nodeNamespace, outsideNamespace, podLink, podNamespace } from '../system/names.ts';
import { type Place, placeText } from '../topology/places.ts';
import { portsOf } from './packet.ts';
import type { RawCommand, RawReply, SynFlood, Watch } from './raw-peer-program.ts';

const program = new URL('raw-peer-program.ts', import.meta.url).pathname;

/** The id of the reply that the program runs. */
const startId = 0;

/** Where its frames go: the link of the place, and the hardware addresses of both ends. */
type Link = { namespace: string; index: number; header4: Buffer; header6: Buffer };

type WithoutId<Command> = Command extends { id: number } ? Omit<Command, 'id'> : never;
type CommandWithoutId = WithoutId<RawCommand>;

export class RawPeer {
  readonly #link: Link;
  readonly #child: ChildProcess;
  readonly #pendingReplies = new Map<number, (refused: number) => void>();
  readonly #watchers: { watch: Watch; onPacket: (ip: Buffer) => void }[] = [];
  #lastId = startId;
  #errorText = '';

  /** Resolves when its program runs. `place` is a pod or an outside host. */
  static async start(world: LabWorld, place: Place): Promise<RawPeer> {
    const peer = new RawPeer(await linkOf(world, place));
    const refused = await peer.#replyTo(startId);
    if (refused < 0) throw peer.#failure('its program exited');
    return peer;
  }

  private constructor(link: Link) {
    this.#link = link;
    const args = [`--net=/run/netns/${link.namespace}`, process.execPath, program, String(link.index)];
    this.#child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errorText = (this.#errorText + chunk.toString()).slice(-500);
    });
    this.#child.stdin!.on('error', () => undefined);
    this.#child.once('exit', () => this.#endPending());
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#received(JSON.parse(line) as RawReply));
  }

  /** Sends IP packets towards the node, or the outside host's router, one after the other. */
  send(packets: readonly Buffer[], options: { times?: number; perSecond?: number } = {}): Promise<void> {
    const send = packets.map((ip) => this.#frame(ip).toString('hex'));
    return this.#run({ send, times: options.times ?? 1, perSecond: options.perSecond ?? 0 });
  }

  synFlood(flood: Omit<SynFlood, 'header'>): Promise<void> {
    return this.#run({ synFlood: { ...flood, header: this.#link.header4.toString('hex') } });
  }

  /** From then on calls `onPacket` with every such IPv4 packet that arrives. */
  watch(watch: Watch, onPacket: (ip: Buffer) => void): Promise<void> {
    this.#watchers.push({ watch, onPacket });
    return this.#run({ watch });
  }

  /** From then on the kernel of this place ignores packets to this port: only `send` answers them. */
  async silenceKernel(protocol: 'tcp' | 'udp', port: number): Promise<void> {
    const nft = [
      'add table inet raw-peer',
      'add chain inet raw-peer input { type filter hook input priority -200; }',
      `add rule inet raw-peer input ${protocol} dport ${port} drop`,
    ];
    await applyInside({ namespace: this.#link.namespace, settings: [], ip: [], bridge: [], nft, after: [] });
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

  #frame(ip: Buffer): Buffer {
    return Buffer.concat([ip[0]! >>> 4 === 6 ? this.#link.header6 : this.#link.header4, ip]);
  }

  async #run(command: CommandWithoutId): Promise<void> {
    this.#lastId += 1;
    const replied = this.#replyTo(this.#lastId);
    this.#child.stdin!.write(`${JSON.stringify({ id: this.#lastId, ...command })}\n`);
    const refused = await replied;
    if (refused === 0) return;
    throw this.#failure(refused < 0 ? 'its program exited' : `the kernel refused ${refused} packets`);
  }

  /** -1 if the program has exited. */
  #replyTo(id: number): Promise<number> {
    return new Promise((resolve) => {
      this.#pendingReplies.set(id, resolve);
      if (this.#hasExited) this.#endPending();
    });
  }

  #failure(fault: string): ProblemError {
    const reason = this.#errorText.trim() || fault;
    return new ProblemError(stepFailed(this.#link.namespace, reason, 'check the packets and the interface'));
  }

  #received(reply: RawReply): void {
    if (!('packet' in reply)) {
      const [id, refused] = 'ready' in reply ? [startId, 0] : [reply.id, reply.refused];
      this.#pendingReplies.get(id)?.(refused);
      this.#pendingReplies.delete(id);
      return;
    }
    const ip = Buffer.from(reply.packet, 'hex');
    for (const { watch, onPacket } of this.#watchers) {
      if (ip[9] === watch.protocol && (watch.port === undefined || portsOf(ip).includes(watch.port))) onPacket(ip);
    }
  }

  #endPending(): void {
    for (const resolve of this.#pendingReplies.values()) resolve(-1);
    this.#pendingReplies.clear();
  }
}

async function linkOf(world: LabWorld, place: Place): Promise<Link> {
  const [namespace, [peerNamespace, peerLink]] = namesOf(world, place);
  const [own, peer] = await Promise.all([linkIn(namespace, 'eth0'), linkIn(peerNamespace, peerLink)]);
  const header = (etherType: number) =>
    Buffer.from(`${peer.mac}${own.mac}${etherType.toString(16).padStart(4, '0')}`.replaceAll(':', ''), 'hex');
  return { namespace, index: own.index, header4: header(0x0800), header6: header(0x86dd) };
}

/** The namespace of the place, and the link that its packets go to. */
function namesOf({ id, cluster, outside, topology }: LabWorld, place: Place): [string, [string, string]] {
  if (place.kind === 'pod') {
    const pod = cluster.pods.find((one) => one.namespace === place.namespace && one.name === place.name);
    const gateway = topology.onNode === 'bridge' ? 'cni0' : podLink(place);
    if (pod !== undefined) return [podNamespace(id, place), [nodeNamespace(id, pod.node), gateway]];
  }
  const index = outside.findIndex((host) => place.kind === 'outside' && host.name === place.name);
  if (place.kind === 'outside' && index >= 0) {
    return [outsideNamespace(id, place.name), [fabricNamespace(id), `outside${index}`]];
  }
  throw new ProblemError(
    stepFailed(placeText(place), 'it cannot send crafted packets', 'name a pod or an outside host'),
  );
}
