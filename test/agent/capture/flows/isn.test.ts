// The initial sequence number that a record carries as evidence (model/record.ts).
import t from 'tap';
import { Flows } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { icmp, ip4, sctp, tcp, udp } from '../../../scene/packets.ts';
import { db, web } from '../../../scene/records.ts';

const fromWeb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(40000, 5432, flags, numbers);
const fromDb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(5432, 40000, flags, numbers);

t.test('every record of a connection has the number of its SYN, in each interval', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S', { sequence: 4_000_000_000 }));
  t.same([flows.drain(1)[0]!.isn, flows.drain(1).length], [4_000_000_000, 0]);
  flows.back(1, fromDb('SA', { sequence: 7, acknowledged: 4_000_000_001 }));
  t.equal(flows.drain(2)[0]!.isn, 4_000_000_000);
  flows.out(20, fromWeb('R', { sequence: 4_000_000_001 }));
  t.equal(flows.drain(21)[0]!.isn, 4_000_000_000);
});

t.test('if only the SYN-ACK was seen, the number is what it acknowledges minus one', async (t) => {
  for (const [acknowledged, isn] of [
    [1001, 1000],
    [0, 0xffffffff],
    [1, 0],
  ] as const) {
    const flows = new Flows();
    flows.back(0, fromDb('SA', { sequence: 7, acknowledged }));
    t.equal(flows.drain(1)[0]!.isn, isn);
  }
});

t.test('0 is a number, and a connection whose beginning was not seen has none', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S', { sequence: 0 }));
  t.equal(flows.drain(1)[0]!.isn, 0);
  const midStream = new Flows();
  midStream.out(0, fromWeb('A', { sequence: 5, acknowledged: 6 }));
  midStream.back(0.1, fromDb('RA', { sequence: 5, acknowledged: 6 }));
  t.equal(midStream.drain(1)[0]!.isn, undefined);
});

t.test('other protocols and connections known from an ICMP error have none', async (t) => {
  const flows = new Flows();
  flows.out(0, udp(40000, 53));
  flows.out(0, sctp(40000, 3868, 1));
  flows.out(0, icmp(8, 0));
  flows.see(0, ip4('192.0.2.254', web, icmp(3, 1, 4, ip4(web, db, fromWeb('S')).bytes)), 'to-pod');
  matchEach(t, flows.drain(1), Array(4).fill({ isn: undefined }));
});
