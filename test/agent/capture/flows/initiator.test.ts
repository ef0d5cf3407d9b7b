// Who began, as the flow table tells it.
import t from 'tap';
import { ICMP, SCTP } from '../../../../model/protocol.ts';
import { Flows, webLink } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { type Body, echoOf, icmp, ip4, sctp, tcp, udp } from '../../../scene/packets.ts';
import { db, second, t0, web } from '../../../scene/records.ts';

const fromWeb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(40000, 5432, flags, numbers);
const fromDb = (flags: string, numbers: Parameters<typeof tcp>[3] = {}) => tcp(5432, 40000, flags, numbers);
const handshakeEnds = { initiator: web, initiatorPort: 40000, responder: db, responderPort: 5432 };

t.test('a SYN-ACK tells the initiator too, and the number of the SYN that it answers', async (t) => {
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

t.test('the numbers of a SYN-ACK wrap at 32 bits', async (t) => {
  const flows = new Flows();
  flows.back(0, fromDb('SA', { acknowledged: 0 }));
  flows.out(0.5, fromWeb('S', { sequence: 0xffffffff }));
  t.equal(flows.drain(1).length, 1);
});

t.test('mid-stream the side with the port that services have is the responder, and that is inferred', async (t) => {
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

t.test(
  'without a handshake the first packet is sure once anything begun before watching would have ended',
  async (t) => {
    const sure = (appeared: 'before' | 'while-watching', s: number, body: Body) => {
      const flows = new Flows();
      flows.table.watch(webLink, t0, appeared);
      flows.out(s, body);
      return flows.drain(s + 1)[0]!.initiatorBy === 'handshake';
    };
    t.same([sure('before', 59, udp(53, 40000)), sure('before', 60, udp(53, 40000))], [false, true]);
    t.same([sure('while-watching', 0.9, udp(53, 40000)), sure('while-watching', 1, udp(53, 40000))], [false, true]);
    t.notOk(sure('before', 400, tcp(40000, 80, 'A')), 'a TCP connection may be silent for long');
  },
);

t.test('SCTP and echoes say themselves who began', async (t) => {
  const flows = new Flows();
  flows.back(0, sctp(3868, 50000, 2));
  flows.back(0, icmp(0, 0, echoOf(513)));
  matchEach(t, flows.drain(1), [
    { protocol: SCTP, initiator: web, initiatorPort: 50000, initiatorBy: 'handshake' },
    { protocol: ICMP, initiator: web, initiatorPort: 513, responderPort: 0, initiatorBy: 'handshake' },
  ]);
});

t.test(
  'a file is not always in order: the earliest packet is the beginning, and a late SYN names the initiator',
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
