// The content of records; drain.test.ts tests when they are emitted.
import t from 'tap';
import { TCP, UDP } from '../../../../model/protocol.ts';
import { ACK, FIN, RST, SYN } from '../../../../model/record.ts';
import { Flows, webLink } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { type Body, icmp, ip4, ip6, middle, tcp, udp } from '../../../scene/packets.ts';
import { db, second, t0, web } from '../../../scene/records.ts';

const fromWeb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(40000, 5432, flags, numbers);
const fromDb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(5432, 40000, flags, numbers);
const handshakeEnds = { initiator: web, initiatorPort: 40000, responder: db, responderPort: 5432 };

t.test('both directions are one connection, with counters, bytes and flags of each', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S'));
  flows.back(0.2, fromDb('SA', { acknowledged: 1001 }));
  flows.out(0.3, fromWeb('PA', { payload: 100 }));
  t.same(flows.drain(1), [
    {
      ...handshakeEnds,
      protocol: TCP,
      point: 'source',
      interfaceIndex: webLink,
      podUid: '',
      initiatorBy: 'handshake',
      isn: 1000,
      bothSentSyn: false,
      responderFirst: false,
      beganUs: t0,
      firstUs: t0,
      lastUs: t0 + 0.3 * second,
      packets: { forward: 2, reverse: 1 },
      frames: 3,
      bytes: { forward: 180, reverse: 40 },
      tcpFlags: { forward: SYN | ACK | 0x08, reverse: SYN | ACK },
      synRetries: 0,
      unreachable: false,
      answered: true,
      deliveryUnproven: false,
      rttUs: 0.2 * second,
      ended: false,
      translation: undefined,
    },
  ]);
});

t.test('the point is source if the pod is the initiator, destination if it is the responder, else host', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S'));
  flows.see(0, ip4(db, web, tcp(50000, 80, 'S')), 'to-pod');
  flows.see(0, ip4(web, db, tcp(60000, 80, 'S')), 'not-at-pod');
  const points = flows.drain(1).map((record) => [record.initiatorPort, record.point]);
  t.same(Object.fromEntries(points), { 40000: 'source', 50000: 'destination', 60000: 'host' });
});

t.test('the same packet at two interfaces is in two records', async (t) => {
  const flows = new Flows();
  for (const link of [7, 9]) flows.see(0, ip4(web, db, fromWeb('S')), link === 7 ? 'from-pod' : 'to-pod', link);
  matchEach(t, flows.drain(1), [
    { interfaceIndex: 7, point: 'source' },
    { interfaceIndex: 9, point: 'destination' },
  ]);
});

t.test('IPv6 connections are tracked, and a pod’s connection to itself is one connection', async (t) => {
  const flows = new Flows();
  flows.see(0, ip6('fd00::2', 'fd00::1', udp(1, 2)), 'from-pod');
  flows.see(0, ip6('fd00::1', 'fd00::2', udp(2, 1)), 'to-pod');
  flows.see(0, ip4(web, web, udp(9, 8)), 'from-pod');
  flows.see(0, ip4(web, web, udp(8, 9)), 'to-pod');
  matchEach(t, flows.drain(1), [
    { initiator: 'fd00::2', responder: 'fd00::1', packets: { forward: 1, reverse: 1 } },
    { initiator: web, initiatorPort: 9, responder: web, responderPort: 8, packets: { forward: 1, reverse: 1 } },
  ]);
});

t.test('a SYN with another sequence number is a new connection on the same ports', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S', { sequence: 1000 }));
  flows.back(0.1, fromDb('SA', { acknowledged: 1001 }));
  flows.out(5, fromWeb('S', { sequence: 9000 }));
  matchEach(t, flows.drain(6), [
    { beganUs: t0, ended: true, packets: { forward: 1, reverse: 1 }, rttUs: 0.1 * second },
    { beganUs: t0 + 5 * second, ended: false, packets: { forward: 1, reverse: 0 }, rttUs: 0, synRetries: 0 },
  ]);
});

t.test('a repeated SYN is a retry, counted in its interval', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S'));
  flows.out(1, fromWeb('S'));
  flows.out(3, fromWeb('S'));
  matchEach(t, flows.drain(4), [{ beganUs: t0, synRetries: 2, packets: { forward: 3 } }]);
  flows.out(7, fromWeb('S'));
  matchEach(t, flows.drain(8), [{ beganUs: t0, synRetries: 1, packets: { forward: 1 } }]);
});

t.test('in a file, a SYN repeated at once is the same packet at a second interface, not a retry', async (t) => {
  const flows = new Flows();
  flows.see(0, ip4(web, db, fromWeb('S')), 'not-at-pod');
  flows.see(0.00001, ip4(web, db, fromWeb('S')), 'not-at-pod');
  flows.see(1, ip4(web, db, fromWeb('S')), 'not-at-pod');
  matchEach(t, flows.drain(2), [{ synRetries: 1, packets: { forward: 3 } }]);
});

t.test('the round trip is measured from SYN to first answer, and not if the SYN was repeated (Karn)', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S'));
  flows.back(0.25, fromDb('SA', { acknowledged: 1001 }));
  flows.back(1.25, fromDb('SA', { acknowledged: 1001 }));
  matchEach(t, flows.drain(2), [{ rttUs: 0.25 * second }]);
  const again = new Flows();
  again.out(0, fromWeb('S'));
  again.out(1, fromWeb('S'));
  again.back(1.25, fromDb('SA', { acknowledged: 1001 }));
  matchEach(t, again.drain(2), [{ rttUs: 0, synRetries: 1 }]);
});

t.test('an ICMP error belongs to the connection that it quotes, and is not an answer of the responder', async (t) => {
  const flows = new Flows();
  const router = (body: Body) => ip4('192.0.2.254', web, icmp(3, 1, 4, ip4(web, db, body).bytes));
  flows.out(0, fromWeb('S'));
  flows.see(0.1, router(fromWeb('S')), 'to-pod');
  matchEach(t, flows.drain(1), [
    { ...handshakeEnds, protocol: TCP, unreachable: true, ended: false, packets: { forward: 1, reverse: 1 } },
  ]);
  flows.out(1, fromWeb('S'));
  matchEach(t, flows.drain(2), [{ unreachable: false }], 'only its interval is unreachable');
  flows.see(3, router(udp(5000, 53)), 'to-pod');
  matchEach(t, flows.drain(4), [
    { initiator: web, initiatorPort: 5000, responder: db, responderPort: 53, protocol: UDP, initiatorBy: 'inferred' },
  ]);
});

t.test('a later fragment is counted in its connection', async (t) => {
  const flows = new Flows();
  flows.see(0, ip4(web, db, udp(40000, 53, 800), { id: 3, more: true }), 'from-pod');
  flows.see(0, ip4(web, db, middle(17, 100), { id: 3, offset: 808 }), 'from-pod');
  matchEach(t, flows.drain(1), [{ packets: { forward: 2 }, bytes: { forward: 828 + 120 } }]);
});

t.test('FIN from both sides ends a connection, FIN from one side does not', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S'));
  flows.out(1, fromWeb('FA'));
  flows.out(1, fromWeb('FA'));
  matchEach(t, flows.drain(2), [{ ended: false }]);
  flows.back(3, fromDb('FA'));
  matchEach(t, flows.drain(4), [{ ended: true, tcpFlags: { forward: 0, reverse: FIN | ACK } }]);
});

t.test('RST ends a connection, from either side', async (t) => {
  for (const direction of ['out', 'back'] as const) {
    const flows = new Flows();
    flows.out(0, fromWeb('S'));
    flows[direction](0.1, direction === 'out' ? fromWeb('R') : fromDb('RA'));
    const [record] = flows.drain(1);
    t.equal(record!.ended, true);
    t.equal(record!.tcpFlags[direction === 'out' ? 'forward' : 'reverse'] & RST, RST);
  }
});
