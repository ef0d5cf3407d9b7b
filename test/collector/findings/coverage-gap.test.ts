// While a table of a node's agent is full, a finding says so, names the pod that filled it, and ends.
import t from 'tap';
import type { Finding } from '../../../model/finding.ts';
import type { WireGap, WireGapInterface, WireUnrecorded } from '../../../proto/wire.ts';
import { Scene, shop } from '../../scene/pipeline.ts';
import { second, t0 } from '../../scene/records.ts';

const noLosses = { seen: 0, stored: 0, ignored: {}, lost: {}, bytes: null };
const flood = sum({ direction: 1, port: 443, zone: 2, packets: 149_045 });
const datagram = sum({ direction: 1, protocol: 17, port: 514, zone: 1, packets: 1 });
const filler = link({ name: 'veth1', podUid: 'uid-web', connections: 40_000, unanswered: 39_900 }, flood, datagram);
const busy = link({ name: 'veth2', podUid: 'uid-db', connections: 60_000, unanswered: 3 });
const unnamed = link({ name: 'veth3', connections: 9 }, sum({ direction: 2, port: 80, zone: 1, packets: 7 }));

function sum(change: Partial<WireUnrecorded>): WireUnrecorded {
  const packets = { packets: 1, bytes: 60, firstUs: t0, lastUs: t0 + second };
  return { reason: 'table-full', direction: 0, protocol: 6, port: 0, zone: 0, ...packets, ...change };
}

function link(change: Partial<WireGapInterface>, ...unrecorded: WireUnrecorded[]): WireGapInterface {
  return { index: 7, name: '', podUid: '', connections: 0, unanswered: 0, unrecorded, ...change };
}

function gap(change: Partial<WireGap> = {}): WireGap {
  return { fromUs: t0, untilUs: t0 + 2 * second, ended: false, interfaces: [busy, filler, unnamed], ...change };
}

function report(scene: Scene, ...gaps: WireGap[]): void {
  scene.report('n1', [], [], { accounting: noLosses, coverage: { gaps, unreadable: [] } });
  scene.pass(2 * second);
}

function only(scene: Scene): Finding {
  const found = [...scene.findings.values()].filter(({ kind }) => kind === 'coverage-gap');
  if (found.length !== 1) throw new Error(`${found.length} findings`);
  return found[0]!;
}

t.test(
  'the finding names node, pods, time and reason, and the pod that filled the table, not the busy one',
  async (t) => {
    const scene = new Scene(shop);
    report(scene, gap());
    t.match(only(scene), {
      ...{ kind: 'coverage-gap', severity: 'medium', initiator: { kind: 'node', node: 'n1' }, connections: 0 },
      ...{ firstSeenUs: t0, lastSeenUs: t0 + 2 * second },
      evidence: {
        ...{ node: 'n1', from: '2026-01-01T00:00:00.000Z', why: ['table-full'], filledBy: 'shop/web' },
        pods: ['interface veth3', 'shop/web'],
        unrecorded: [
          { pod: 'shop/web', direction: 'from-pod', protocol: 'TCP', port: 443, zone: 'public', packets: 149_045 },
          { pod: 'shop/web', direction: 'from-pod', protocol: 'UDP', port: 514, zone: 'private', packets: 1 },
          { pod: 'interface veth3', direction: 'to-pod', protocol: 'TCP', port: 80, zone: 'private', packets: 7 },
        ],
      },
    });
    t.notOk('to' in only(scene).evidence, 'it lasts');
    t.same(only(scene).explanation.split('\n'), [
      'node n1 does not record every connection since 2026-01-01T00:00:00.000Z: shop/web fills its connection table.',
      'table: shop/web has at most 40000 connections, 39900 of them without an answer',
      'not recorded: packets of interface veth3, shop/web',
      'not recorded: 149045 packets from shop/web, TCP 443, public address, table-full',
      'not recorded: 7 packets to interface veth3, TCP 80, private address, table-full',
      'not recorded: 1 packets from shop/web, UDP 514, private address, table-full',
      'to do: find out why shop/web has so many connections without an answer, or raise capture.maxConnections',
    ]);
  },
);

t.test('the finding ends with the gap, and lists the gap when the next one begins', async (t) => {
  const scene = new Scene(shop);
  report(scene, gap());
  const { id } = only(scene);
  const first = gap({ ended: true });
  report(scene, first);
  t.equal(only(scene).evidence.to, '2026-01-01T00:00:02.000Z');
  t.match(
    only(scene).explanation,
    /^node n1 did not record every connection from 2026-.* to 2026-.*: shop\/web filled its /,
  );
  report(scene, first, gap({ fromUs: t0 + 60 * second, untilUs: t0 + 60 * second }));
  t.equal(only(scene).id, id);
  t.notOk('to' in only(scene).evidence, 'it lasts again');
  t.match(only(scene), {
    firstSeenUs: t0,
    evidence: {
      from: '2026-01-01T00:01:00.000Z',
      earlier: [{ from: '2026-01-01T00:00:00.000Z', to: '2026-01-01T00:00:02.000Z' }],
    },
  });
});

t.test(
  'a gap that lasted when the agent ended has ended, also if the collector was started again meanwhile',
  async (t) => {
    const scene = new Scene(shop);
    report(scene, gap());
    const lasting = only(scene);
    scene.report('n1', [], [], { accounting: noLosses, coverage: { gaps: [], unreadable: [] } }, 'another instance');
    scene.pass(2 * second);
    t.equal(only(scene).evidence.to, '2026-01-01T00:00:02.000Z', 'the agent was started again');
    const restarted = new Scene(shop);
    restarted.restore([lasting], []);
    restarted.pass(2 * second);
    t.notOk('to' in only(restarted).evidence, 'nothing is known before the agent reports');
    report(restarted);
    t.equal(only(restarted).evidence.to, '2026-01-01T00:00:02.000Z');
    t.match(only(restarted).explanation, /^node n1 did not record every connection from /);
  },
);

t.test('nodes have a finding each, and a node without a gap has none', async (t) => {
  const scene = new Scene(shop);
  report(scene);
  t.same(scene.kinds(), []);
  report(scene, gap());
  scene.report('n2', [], [], { accounting: noLosses, coverage: { gaps: [gap()], unreadable: [] } });
  scene.pass(2 * second);
  t.same(scene.kinds(), ['coverage-gap', 'coverage-gap']);
});
