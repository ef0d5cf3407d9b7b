// Gives each watched interface a slot in the program's maps: rows of its own, and sums of the packets that have no row. The
// program also gets the addresses of the pod, so that it recognises packets for other hosts.
import { checkLibbpfCall } from '../../../kernel/errno.ts';
import { deleteElement, writeElement } from '../../../kernel/libbpf.ts';
import { type Address, addressBytes } from '../../../model/address.ts';
import type { PodAddresses } from '../../interfaces/peer-addresses.ts';
import { interfaceEntry, interfaceSlots, linkAddressesBytes } from './layout.ts';
import type { LoadedProgram } from './program.ts';

/** Interfaces without a slot of their own have this one together. */
const commonSlot = interfaceSlots - 1;
/** Of several interfaces, or of none: no link has the index 0. */
const noInterface = 0;
const noAddresses: PodAddresses = { linkAddress: undefined, addresses: [] };

export class InterfaceSlots {
  readonly #program: Pick<LoadedProgram, 'mapFd'>;
  readonly #slotOf = new Map<number, number>();
  /** By slot: the interface, or undefined if the slot is free. */
  readonly #interfaces: (number | undefined)[] = [];
  readonly #noLearned = Buffer.alloc(linkAddressesBytes);

  constructor(program: Pick<LoadedProgram, 'mapFd'>) {
    this.#program = program;
  }

  /** Does nothing if the interface has a slot. Call it before the program is attached. */
  add(index: number): void {
    if (this.#slotOf.has(index)) return;
    const slot = this.#freeSlot();
    this.#slotOf.set(index, slot);
    if (slot !== commonSlot) this.#interfaces[slot] = index;
    writeElement(this.#program.mapFd('link_addresses'), slot, this.#noLearned);
    this.setAddresses(index, noAddresses);
  }

  setAddresses(index: number, { linkAddress, addresses }: PodAddresses): void {
    const slot = this.#slotOf.get(index);
    if (slot === undefined) return;
    const entry = Buffer.alloc(interfaceEntry.bytes);
    entry.writeUInt32LE(slot, interfaceEntry.slot);
    entry.writeUInt32LE(addresses.length, interfaceEntry.addressCount);
    linkAddress?.copy(entry, interfaceEntry.linkAddress);
    for (const [i, address] of addresses.slice(0, interfaceEntry.maxAddresses).entries()) {
      writeAddress(entry, interfaceEntry.addresses + i * 16, address);
    }
    writeElement(this.#program.mapFd('interfaces'), index, entry);
  }

  /** Call it when the last rows of the interface were read. */
  remove(index: number): void {
    const slot = this.#slotOf.get(index);
    if (slot === undefined) return;
    checkLibbpfCall('bpf_map_delete_elem', deleteElement(this.#program.mapFd('interfaces'), index));
    this.#slotOf.delete(index);
    if (slot !== commonSlot) this.#interfaces[slot] = undefined;
  }

  /** No slot from this one on is in use, except the common one. */
  get end(): number {
    return this.#interfaces.length;
  }

  interfaceAt(slot: number): number {
    return this.#interfaces[slot] ?? noInterface;
  }

  #freeSlot(): number {
    const free = this.#interfaces.indexOf(undefined);
    return free >= 0 ? free : Math.min(this.#interfaces.length, commonSlot);
  }
}

/** As four words, the first first; IPv4 is mapped. */
function writeAddress(into: Buffer, at: number, address: Address): void {
  const bytes = Buffer.from(addressBytes(address));
  const mapped = bytes.length === 16 ? bytes : Buffer.concat([Buffer.alloc(10), Buffer.of(0xff, 0xff), bytes]);
  for (let word = 0; word < 4; word++) into.writeUInt32LE(mapped.readUInt32BE(word * 4), at + word * 4);
}
