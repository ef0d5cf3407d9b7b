// Counters of the kernel, added interval by interval: what differs from packets.
import t from 'tap';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { podIsLowInKey } from '../../../../agent/capture/flows/flow-columns.ts';
import { FlowTable } from '../../../../agent/capture/flows/flow-table.ts';
import type { Interval } from '../../../../agent/capture/flows/interval.ts';
import { TCP } from '../../../../model/protocol.ts';
import { ACK, type ConnectionRecord, SYN } from '../../../../model/record.ts';
import { decodeRecords } from '../../../../proto/decode.ts';
import { encodeRecords } from '../../../../proto/encode.ts';
import { second, t0, web } from '../../../scene/records.ts';

const link = 7;
const isn = 1000;

/** From web:40000, the lower end and the pod, to db:5432; without a SYN. */
function interval(change: Partial<Interval>): Interval {
  const firstUs = change.firstUs ?? t0;
  return {
    key(into) {
      into.set([0, 0, 0xffff, 0x0a000102, 0, 0, 0xffff, 0x0a000203]);
      into.set([(40000 << 16) | 5432, TCP | podIsLowInKey, link], 8);
    },
    interfaceIndex: link,
    protocol: TCP,
    lowPort: 40000,
    highPort: 5432,
    frames: 1,
    packetsFromLow: 1,
    packetsFromHigh: 0,
    bytesFromLow: 60,
    bytesFromHigh: 0,
    flagsFromLow: ACK,
    flagsFromHigh: 0,
    firstUs,
    lastUs: firstUs,
    firstFromLow: true,
    podIsLow: true,
    lowInitiated: false,
    highInitiated: false,
    lowSent: true,
    highSent: false,
    firstQuoted: false,
    unreachable: false,
    deliveryUnproven: false,
    syns: 0,
    synsFromLow: true,
    lowSentSynAck: false,
    highSentSynAck: false,
    hasIsnLow: false,
    hasIsnHigh: false,
    isnLow: 0,
    isnHigh: 0,
    synackUs: 0,
    ...change,
  };
}

const syn = (firstUs: number) =>
  interval({ firstUs, syns: 1, flagsFromLow: SYN, lowInitiated: true, lowSent: false, hasIsnLow: true, isnLow: isn });

const synAck = (firstUs: number) =>
  interval({
    ...{ firstUs, packetsFromLow: 0, packetsFromHigh: 1, bytesFromLow: 0, bytesFromHigh: 60, lowSent: false },
    ...{ flagsFromLow: 0, flagsFromHigh: SYN | ACK, highSent: true, firstFromLow: false, lowInitiated: true },
    ...{ highSentSynAck: true, hasIsnLow: true, isnLow: isn, hasIsnHigh: true, isnHigh: 9, synackUs: firstUs },
  });

class Intervals {
  readonly table = new FlowTable({ maxConnections: 10, reportEveryUs: 1 }, new PacketAccounting());

  /** Reads the interval, and returns the records as the collector gets them. */
  read(one: Interval, nowUs: number): ConnectionRecord[] {
    this.table.addInterval(one);
    const records: ConnectionRecord[] = [];
    this.table.drain(nowUs, (record) => records.push(record));
    const decoded = decodeRecords(encodeRecords(records), 10);
    return 'records' in decoded ? decoded.records : [];
  }
}

t.test('an interval that seems to begin before its connection does not move the beginning', async (t) => {
  const intervals = new Intervals();
  t.match(intervals.read(syn(t0), t0 + second), [{ initiator: web, beganUs: t0, firstUs: t0 }]);
  const [second_] = intervals.read(synAck(t0 - 540), t0 + 2 * second);
  t.match(second_, { initiator: web, beganUs: t0, firstUs: t0, answered: true });
});

t.test('a SYN that is read after its SYN-ACK belongs to the same connection', async (t) => {
  const intervals = new Intervals();
  const [first] = intervals.read(synAck(t0), t0 + second);
  t.match(first, { initiator: web, beganUs: t0, isn });
  const later = intervals.read(syn(t0 + second), t0 + 2 * second);
  t.match(later, [{ initiator: web, beganUs: t0, isn, ended: false }]);
  t.equal(later.length, 1);
});
