// The wall clock of the agent, of the collector, or of both is set while they run. Connections keep their times, and are
// evaluated by the policies of those times.
import t from 'tap';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { NodePrograms } from '../scene/node-programs.ts';
import { connect, listen, type OpenConnection } from '../scene/open-connection.ts';
import { outsideAddress, withoutNamespaces } from '../scene/pod-link.ts';
import { until } from '../scene/until.ts';
import { WallClock, withoutOwnClock } from '../scene/wall-clock.ts';

const skip = withoutNamespaces || withoutOwnClock(t);
const hourMs = 3_600_000;
const maxErrorMs = 100;
const maxWaitMs = 60_000;

/** The pods of `shop` may send nothing. */
const noEgress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: no-egress, namespace: shop }
spec: { podSelector: {}, policyTypes: [Egress] }
`;

/** A node whose agent and collector have clocks of their own. */
async function scene(t: Parameters<typeof NodePrograms.make>[0]) {
  const node = await NodePrograms.make(t);
  const clocks = { agent: new WallClock(node.folder, 'agent'), collector: new WallClock(node.folder, 'collector') };
  const collector = await node.collector({ env: clocks.collector.env });
  const agent = await node.agent('ours/agent-n1', { env: clocks.agent.env });
  const flow = async (port: number): Promise<ConnectionJson> => {
    const find = async () =>
      ((await node.ask('flows', '--port', String(port))) as ConnectionJson[]).find((one) => one.port === port);
    await until(`the connection to port ${port} is shown`, async () => (await find()) !== undefined, maxWaitMs);
    return (await find())!;
  };
  /** The pod connects to an address outside the cluster. */
  const open = async (port: number) => {
    await listen(t, node.link.onNode, outsideAddress, port);
    return connect(t, node.link.inPod, outsideAddress, port);
  };
  return { node, clocks, agent, collector, flow, open };
}

/**
 * By how many ms more than allowed the start that is shown differs from the true one, on a clock that is `aheadMs` ahead. The
 * first packet was sent between `startMs` and `establishedMs`.
 */
function errorMs({ start }: ConnectionJson, { startMs, establishedMs }: OpenConnection, aheadMs: number): number {
  const shownMs = Date.parse(start) - aheadMs;
  return Math.max(0, startMs - maxErrorMs - shownMs, shownMs - establishedMs - maxErrorMs);
}

t.test('start times are right after any step of either clock', { skip }, async (t) => {
  const { node, clocks, agent, collector, flow, open } = await scene(t);
  const steps: { agent: number; collector: number }[] = [
    { agent: 0, collector: 0 },
    { agent: -30_000, collector: 0 },
    { agent: hourMs, collector: 0 },
    { agent: -hourMs, collector: 150 },
    { agent: 150, collector: -30_000 },
    { agent: 30_000, collector: hourMs },
    { agent: -150, collector: -hourMs },
  ];
  let shownAheadMs = 0;
  for (const [i, step] of steps.entries()) {
    // Its records are not sent yet when the clocks are set.
    const earlier = await open(8100 + i);
    clocks.agent.step(step.agent);
    clocks.collector.step(step.collector);
    // Times are shown on the wall clock of the collector.
    shownAheadMs += step.collector;
    const later = await open(8000 + i);
    t.equal(errorMs(await flow(8100 + i), earlier, shownAheadMs), 0, `before ${JSON.stringify(step)}`);
    t.equal(errorMs(await flow(8000 + i), later, shownAheadMs), 0, `after ${JSON.stringify(step)}`);
  }
  t.ok(agent.lines("the node's clock was set").length >= 5);
  t.ok(collector.lines('the system clock was set').length >= 4);
  const status = await node.status();
  t.match(status.nodes.list, [{ node: 'n1', agent: 'reporting', duplicatesDropped: 0 }]);
  const heardMs = Date.parse(status.nodes.list[0]!.lastHeard!) - shownAheadMs;
  t.ok(Math.abs(heardMs - Date.now()) < 10_000, 'the status has times of the same clock');
  const clockOffsetMs = status.nodes.list[0]!.clockOffsetMs!;
  t.ok(Math.abs(clockOffsetMs - (150 - 30_000)) < maxErrorMs, `the clocks of both nodes differ by ${clockOffsetMs} ms`);
});

for (const stepMs of [-hourMs, hourMs]) {
  t.test(`a policy applies from then on, after the clock was set by ${stepMs / hourMs} h`, { skip }, async (t) => {
    const { node, clocks, collector, flow, open } = await scene(t);
    const before = await open(8000);
    t.match(await flow(8000), { verdict: 'undeclared' });
    clocks.collector.step(stepMs);
    node.writeManifest('no-egress', noEgress);
    let port = 8000;
    const isLaterDenied = async () => {
      port += 1;
      await open(port);
      return (await flow(port)).verdict === 'denied';
    };
    await until('a later connection is denied', isLaterDenied, maxWaitMs);
    const { packets } = await flow(8000);
    before.send('more');
    const isReported = async () => (await flow(8000)).packets.forward > packets.forward;
    await until('the earlier connection is evaluated again', isReported, maxWaitMs);
    const findings = (await node.ask('findings')) as FindingJson[];
    // Grandfathered if the grace after the policy is over.
    const kinds = findings.filter(({ port }) => port === 8000).map(({ kind }) => kind);
    t.ok(kinds.length === 1 && ['undeclared', 'grandfathered'].includes(kinds[0]!), kinds.join());
    t.match(await flow(8000), { verdict: 'undeclared' });

    // The next run of the collector goes on with the times of this one.
    const { start } = await flow(8000);
    t.equal(await collector.end(), 0);
    await node.collector({ env: clocks.collector.env });
    const later = await open(9000);
    const shown = await flow(9000);
    t.match(shown, { verdict: 'denied' });
    t.equal(errorMs(shown, later, stepMs), 0);
    t.match(await flow(8000), { verdict: 'undeclared', start });
  });
}
