// The DNS packets that the program reports, through a ring of their own. Each interface has its share of the ring.
import { constants } from 'node:os';
import { checkLibbpfCall } from '../../../kernel/errno.ts';
import { deleteElement, readElement, writeElement } from '../../../kernel/libbpf.ts';
import { addressText } from '../flows/address-text.ts';
import type { DnsEvent, DnsPacket } from '../source.ts';
import { dnsEvent, dnsKind, dnsRingBytes, dnsShare } from './layout.ts';
import type { LoadedProgram } from './program.ts';
import { Ring } from './ring.ts';
import type { RowClock } from './row-cursor.ts';

/** How many packets from the pod were not reported when they were counted last. */
type WatchedInterface = { missedFromPod: bigint };

export class DnsRing {
  readonly #sharesFd: number;
  readonly #ring: Ring;
  readonly #clock: Pick<RowClock, 'timeOfNs'>;
  readonly #onEvent: (event: DnsEvent) => void;
  readonly #share = Buffer.alloc(dnsShare.bytes);
  readonly #emptyShare = Buffer.alloc(dnsShare.bytes);
  readonly #watched = new Map<number, WatchedInterface>();

  constructor(program: LoadedProgram, clock: Pick<RowClock, 'timeOfNs'>, onEvent: (event: DnsEvent) => void) {
    this.#sharesFd = program.mapFd('dns_shares');
    this.#ring = new Ring(program.mapFd('dns_events'), dnsRingBytes);
    this.#clock = clock;
    this.#onEvent = onEvent;
  }

  /** Call before the program is attached, so that no query is missed. */
  watch(interfaceIndex: number): void {
    writeElement(this.#sharesFd, interfaceIndex, this.#emptyShare);
    this.#watched.set(interfaceIndex, { missedFromPod: 0n });
  }

  forget(interfaceIndex: number): void {
    if (!this.#watched.delete(interfaceIndex)) return;
    const result = deleteElement(this.#sharesFd, interfaceIndex);
    if (result !== -constants.errno.ENOENT) checkLibbpfCall('bpf_map_delete_elem', result);
  }

  /** Emits what was reported since the last call. */
  read(): void {
    this.#ring.read((bytes) => {
      this.#readPacket(bytes);
      return 'done';
    });
  }

  /** Emits `missed` for each interface of which a packet from the pod was not reported. */
  readMissed(sinceUs: number): void {
    for (const [interfaceIndex, watched] of this.#watched) {
      readElement(this.#sharesFd, interfaceIndex, this.#share);
      const missedFromPod = this.#share.readBigUInt64LE(dnsShare.missedFromPod);
      if (missedFromPod === watched.missedFromPod) continue;
      watched.missedFromPod = missedFromPod;
      this.#onEvent({ type: 'missed', interfaceIndex, sinceUs, what: 'queries-and-forgeries' });
    }
  }

  close(): void {
    this.#ring.close();
  }

  #readPacket(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
    const { client, server, payload } = dnsEvent;
    const kind = view.getUint8(dnsEvent.kind);
    const packet: DnsPacket = {
      interfaceIndex: view.getUint32(dnsEvent.interfaceIndex, true),
      direction: kind === dnsKind.query || kind === dnsKind.sentAsServer ? 'from-pod' : 'to-pod',
      protocol: view.getUint32(dnsEvent.protocol, true),
      client: addressText(words, client / 4),
      clientPort: view.getUint16(dnsEvent.clientPort, true),
      server: addressText(words, server / 4),
      tcpFlags: view.getUint8(dnsEvent.flags),
      sequence: view.getUint32(dnsEvent.sequence, true),
      payload: bytes.subarray(payload, payload + view.getUint32(dnsEvent.length, true)),
      timeUs: this.#clock.timeOfNs(words, dnsEvent.timeNs / 4),
    };
    const isOwn = kind === dnsKind.sentAsServer || kind === dnsKind.echo;
    this.#onEvent({ type: isOwn ? 'sent-as-server' : 'packet', ...packet });
  }
}
