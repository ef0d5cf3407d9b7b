// Packets between web and db at web's interface, and the records of its flow table.

import { PacketAccounting } from '../../accounting/accounting.ts';
import { Fragments } from '../../agent/capture/decode/fragments.ts';
import { decodeFrame } from '../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../agent/capture/decode/link-type.ts';
import { Packet } from '../../agent/capture/decode/packet.ts';
import { FlowTable, type FlowTableOptions, type PacketDirection } from '../../agent/capture/flows/flow-table.ts';
import type { LostPackets, UnrecordedSink } from '../../agent/capture/unrecorded.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import type { Unrecorded } from '../../model/unrecorded.ts';
import { type Body, type Content, ip4 } from './packets.ts';
import { db, second, t0, web } from './records.ts';

export const webLink = 7;

/** Keeps each loss. */
class KeptLosses implements UnrecordedSink {
  readonly hasGap = false;
  readonly losses: (Unrecorded & LostPackets & { interfaceIndex: number })[] = [];

  add(interfaceIndex: number, _reason: string, of: Unrecorded, lost: LostPackets): void {
    this.losses.push({ interfaceIndex, ...of, ...lost });
  }

  observeTable(): void {}

  packets(): number {
    return this.losses.reduce((sum, { packets }) => sum + packets, 0);
  }
}

/** All times are in seconds since t0. */
export class Flows {
  readonly accounting = new PacketAccounting();
  readonly unrecorded = new KeptLosses();
  readonly table: FlowTable;
  readonly #fragments = new Fragments();
  readonly #packet = new Packet('opaque');

  constructor(options: Partial<FlowTableOptions> = {}) {
    const defaults = { maxConnections: 1000, reportEveryUs: 10 * second, unrecorded: this.unrecorded };
    this.table = new FlowTable({ ...defaults, ...options }, this.accounting);
  }

  /** From web to db. */
  out(s: number, body: Body): void {
    this.see(s, ip4(web, db, body), 'from-pod');
  }

  /** From db to web. */
  back(s: number, body: Body): void {
    this.see(s, ip4(db, web, body), 'to-pod');
  }

  see(s: number, { bytes }: Content, direction: PacketDirection, link = webLink): void {
    this.accounting.seen(1, bytes.length);
    const decoded = decodeFrame(linkTypes.raw, bytes, 0, bytes.length, bytes.length, this.#fragments, this.#packet);
    if (decoded !== 'packet') throw new Error(`the scene has a packet that is ${decoded}`);
    this.table.add(this.#packet, link, direction, t0 + Math.round(s * second));
  }

  drain(s: number): ConnectionRecord[] {
    const records: ConnectionRecord[] = [];
    this.table.drain(t0 + Math.round(s * second), (record) => records.push(record));
    return records;
  }

  finish(): ConnectionRecord[] {
    const records: ConnectionRecord[] = [];
    this.table.finish((record) => records.push(record));
    return records;
  }
}
