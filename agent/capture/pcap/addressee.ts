// Whether a frame towards a pod is addressed to it at link level. A bridge that does not know where a host is sends its
// frames to every pod. flows.bpf.c has the same rules.
import { type Address, addressBytes } from '../../../model/address.ts';
import type { PodAddresses } from '../../interfaces/peer-addresses.ts';
import type { Bytes, Packet } from '../decode/packet.ts';

/**
 * `doubtful`: for an address of the pod, but not for its link address. The kernel of the pod ignores the frame; a program
 * in the pod may read it.
 */
export type Addressee = 'this-pod' | 'doubtful' | 'another-host';

/** Link addresses that a pod may use besides its own, such as that of a virtual machine inside. */
const maxLearned = 4;
const sourceAt = 6;
const multicast = 1; // in the first byte; broadcast has it too
const unknown = 0;

export class LinkAddressee {
  #own = unknown;
  readonly #learned: number[] = [];
  #addresses: readonly (readonly number[])[] = [];

  setAddresses({ linkAddress, addresses }: PodAddresses): void {
    this.#own = linkAddress === undefined ? unknown : linkAddressAt(linkAddress, 0);
    this.#addresses = addresses.map(wordsOf);
  }

  /** hot, once a frame from the pod */
  learn(bytes: Bytes): void {
    const source = linkAddressAt(bytes, sourceAt);
    if (source === this.#own || this.#learned.includes(source)) return;
    this.#learned.push(source);
    if (this.#learned.length > maxLearned) this.#learned.shift();
  }

  /** hot, once a frame towards the pod; `packet` is the decoded frame */
  of(bytes: Bytes, packet: Packet): Addressee {
    if (this.#own === unknown || (bytes[0]! & multicast) !== 0) return 'this-pod';
    const destination = linkAddressAt(bytes, 0);
    if (destination === this.#own || this.#learned.includes(destination)) return 'this-pod';
    return this.#addresses.some((words) => isSame(words, packet.destination)) ? 'doubtful' : 'another-host';
  }
}

function linkAddressAt(bytes: Bytes, at: number): number {
  const high = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  return high * 2 ** 24 + ((bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!);
}

/** IPv4 is mapped. */
function wordsOf(address: Address): number[] {
  const bytes = Buffer.from(addressBytes(address));
  if (bytes.length === 4) return [0, 0, 0xffff, bytes.readUInt32BE(0)];
  return [0, 4, 8, 12].map((at) => bytes.readUInt32BE(at));
}

function isSame(words: readonly number[], other: Uint32Array): boolean {
  return words.every((word, i) => word === other[i]);
}
