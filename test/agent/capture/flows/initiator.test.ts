// Which end the flow table reports as the initiator.
import t from 'tap';
import { ICMP, SCTP } from '../../../../model/protocol.ts';
import { RST } from '../../../../model/record.ts';
import { Flows, webLink } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { type Body, echoOf, icmp, ip4, sctp, tcp, udp } from '../../../scene/packets.ts';
import { db, second, t0, web } from '../../../scene/records.ts';

const fromWeb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(40000, 5432, flags, numbers);
const fromDb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(5432, 40000, flags, numbers);
const handshakeEnds = { initiator: web, initiatorPort: 40000, responder: db, responderPort: 5432 };

t.test('a SYN-ACK proves the initiator, and identifies the SYN that it answers', async (t) => {
  const flows = new Flows();
  flows.back(0, fromDb('SA', { acknowledged: 1001 }));
  flows.out(0.5, fromWeb('S', { sequence: 1000 }));
  matchEach(t, flows.drain(1), [{ ...handshakeEnds, initiatorBy: 'handshake', rttUs: 0, synRetries: 0 }]);
  flows.out(2, fromWeb('S', { sequence: 2000 }));
  matchEach(t, flows.drain(3), [
    { ended: true, packets: { forward: 0 } },
    { ended: false, packets: { forward: 1 } },
  ]);
});

t.test('a SYN-ACK that its receiver refuses proves nothing: its sender is the initiator', async (t) => {
  for (const isDrained of [false, true]) {
    const flows = new Flows();
    flows.back(0, fromDb('SA', { sequence: 7, acknowledged: 1001 }));
    if (isDrained) flows.drain(0.5);
    flows.out(0.6, fromWeb('R', { sequence: 1001 }));
    const refused = flows.drain(1).at(-1);
    t.match(refused, { initiator: db, initiatorBy: 'inferred', isn: undefined, point: 'destination', ended: true });
    t.match(refused, { packets: { reverse: 1 }, tcpFlags: { reverse: RST } });
  }
  const accepted = new Flows();
  accepted.back(0, fromDb('SA', { sequence: 7, acknowledged: 1001 }));
  accepted.out(0.1, fromWeb('A', { sequence: 1001, acknowledged: 8 }));
  accepted.out(0.2, fromWeb('R', { sequence: 1001 }));
  matchEach(t, accepted.drain(1), [{ ...handshakeEnds, initiatorBy: 'handshake', isn: 1000, ended: true }]);
});

t.test('the sequence number derived from a SYN-ACK wraps at 32 bits', async (t) => {
  const flows = new Flows();
  flows.back(0, fromDb('SA', { acknowledged: 0 }));
  flows.out(0.5, fromWeb('S', { sequence: 0xffffffff }));
  t.equal(flows.drain(1).length, 1);
});

t.test('mid-stream, the side with a server’s port is inferred as the responder', async (t) => {
  const first: [from: number, to: number, initiatorPort: number][] = [
    [40000, 5432, 40000],
    [5432, 40000, 40000],
    [80, 8080, 8080],
    [8080, 80, 8080],
    [40000, 50000, 40000],
    [50000, 40000, 50000],
    [53, 80, 53],
  ];
  for (const [from, to, initiatorPort] of first) {
    for (const body of [tcp(from, to, 'A'), udp(from, to), sctp(from, to)]) {
      const flows = new Flows();
      flows.out(0, body);
      const expected = {
        initiatorPort,
        initiatorBy: 'inferred',
        point: initiatorPort === from ? 'source' : 'destination',
      };
      matchEach(t, flows.drain(1), [expected], `${from} -> ${to}`);
    }
  }
});

t.test('without a handshake, the first packet proves the initiator once older connections would be idle', async (t) => {
  const isCertain = (appeared: 'before' | 'while-watching', s: number, body: Body) => {
    const flows = new Flows();
    flows.table.watch(webLink, t0, appeared);
    flows.out(s, body);
    return flows.drain(s + 1)[0]!.initiatorBy === 'handshake';
  };
  t.same([isCertain('before', 59, udp(53, 40000)), isCertain('before', 60, udp(53, 40000))], [false, true]);
  t.same(
    [0.9, 1].map((s) => isCertain('while-watching', s, udp(53, 40000))),
    [false, true],
  );
  t.notOk(isCertain('before', 400, tcp(40000, 80, 'A')), 'a TCP connection may be idle for longer');
});

t.test('SCTP chunks and echoes prove the initiator', async (t) => {
  const flows = new Flows();
  flows.back(0, sctp(3868, 50000, 2));
  flows.back(0, icmp(0, 0, echoOf(513)));
  matchEach(t, flows.drain(1), [
    { protocol: SCTP, initiator: web, initiatorPort: 50000, initiatorBy: 'handshake' },
    { protocol: ICMP, initiator: web, initiatorPort: 513, responderPort: 0, initiatorBy: 'handshake' },
  ]);
});

t.test(
  'in a file out of order, the earliest packet is the beginning, and a late SYN proves the initiator',
  async (t) => {
    const flows = new Flows();
    const see = (s: number, body: Body, from = web, to = db) => flows.see(s, ip4(from, to, body), 'not-at-pod');
    see(0.3, tcp(50000, 40000, 'A'), db, web);
    see(0.1, tcp(50000, 40000, 'SA', { acknowledged: 1001 }), db, web);
    see(0, tcp(40000, 50000, 'S', { sequence: 1000 }));
    matchEach(t, flows.drain(1), [
      {
        initiator: web,
        initiatorPort: 40000,
        initiatorBy: 'handshake',
        beganUs: t0,
        firstUs: t0,
        lastUs: t0 + 0.3 * second,
      },
    ]);
  },
);
