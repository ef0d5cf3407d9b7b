import t from 'tap';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { Flows } from '../../../scene/flows.ts';
import { ip4, udp } from '../../../scene/packets.ts';
import { db } from '../../../scene/records.ts';

function packetsIn(records: readonly ConnectionRecord[]): number {
  return records.reduce((sum, one) => sum + one.packets.forward + one.packets.reverse, 0);
}

t.test('30,000 connections are found again while others are removed', async (t) => {
  for (const seed of [undefined, 1, 0xffffffff]) {
    const flows = new Flows({ maxConnections: 40_000, ...(seed === undefined ? {} : { seed }) });
    const each = (s: number, link: (i: number) => number) => {
      for (let i = 0; i < 30_000; i++) {
        flows.see(s, ip4(`10.1.${i >> 8}.${i & 255}`, db, udp(1000 + (i % 7), 53)), 'from-pod', link(i));
      }
    };
    each(0, (i) => i % 3);
    flows.table.forget(1);
    each(1, (i) => i % 3);
    const records = flows.drain(2);
    t.equal(records.length, 40_000, 'two records for each connection of the forgotten interface');
    t.ok(records.every((one) => packetsIn([one]) === (one.interfaceIndex === 1 ? 1 : 2)));
    t.equal(packetsIn(flows.drain(100)), 0);
    t.equal(flows.table.size, 0);
  }
});
