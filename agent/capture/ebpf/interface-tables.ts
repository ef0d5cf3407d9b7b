// Reads what a table in the kernel has of each interface: how many rows of its own it used, and the packets without a row.
import type { LossReason } from '../../../accounting/reasons.ts';
import { readElement, writeElement } from '../../../kernel/libbpf.ts';
import type { Unrecorded } from '../../../model/unrecorded.ts';
import { remoteZoneOf, unrecordedDirectionOf } from '../../../proto/unrecorded.ts';
import type { InterfaceSlots } from './interface-slots.ts';
import { counters, interfaceSlots, interfaceTable, sum } from './layout.ts';
import type { LoadedProgram } from './program.ts';

export type OnSum = (
  interfaceIndex: number,
  reason: LossReason,
  of: Unrecorded,
  packets: number,
  bytes: number,
) => void;

export class InterfaceTables {
  readonly #program: Pick<LoadedProgram, 'mapFd'>;
  readonly #slots: InterfaceSlots;
  readonly #element = Buffer.alloc(interfaceTable.bytes);
  readonly #empty = Buffer.alloc(interfaceTable.bytes);

  constructor(program: Pick<LoadedProgram, 'mapFd'>, slots: InterfaceSlots) {
    this.#program = program;
    this.#slots = slots;
  }

  /** Empties every element of the table; no program may write to it meanwhile. */
  drain(table: number, onRows: (slot: number, used: number) => void, onSum: OnSum): void {
    for (let slot = 0; slot < this.#slots.end; slot++) this.#drainSlot(table, slot, onRows, onSum);
    this.#drainSlot(table, interfaceSlots - 1, onRows, onSum);
  }

  #drainSlot(table: number, slot: number, onRows: (slot: number, used: number) => void, onSum: OnSum): void {
    const fd = this.#program.mapFd('interface_tables');
    const index = table * interfaceSlots + slot;
    const element = this.#element;
    readElement(fd, index, element);
    if (element.equals(this.#empty)) return;
    const used = Number(element.readBigUInt64LE(interfaceTable.usedRows));
    if (used > 0) onRows(slot, used);
    for (let i = 0; i < sum.count; i++) this.#readSum(interfaceTable.sums + i * sum.bytes, slot, onSum);
    writeElement(fd, index, this.#empty);
  }

  #readSum(at: number, slot: number, onSum: OnSum): void {
    const low = this.#element.readUInt32LE(at + sum.key);
    const high = this.#element.readUInt32LE(at + sum.key + 4);
    if (high === 0) return;
    const of = {
      direction: unrecordedDirectionOf((high >>> 4) & 15),
      zone: remoteZoneOf(high & 15),
      protocol: (low >>> 16) & 0xff,
      port: low & 0xffff,
    };
    const frames = Number(this.#element.readBigUInt64LE(at + sum.frames));
    const bytes = Number(this.#element.readBigUInt64LE(at + sum.frameBytes));
    onSum(this.#slots.interfaceAt(slot), counters[(high >>> 8) & 255] as LossReason, of, frames, bytes);
  }
}
