// What the collector believes of an agent's clocks.
import t from 'tap';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { Agents } from '../../../collector/ingest/agents.ts';
import { NodeClaims } from '../../../collector/ingest/node-claims.ts';
import type { FlowBatch } from '../../../proto/wire.ts';
import { emptyState } from '../../scene/raw-agent.ts';
import { second, t0 } from '../../scene/records.ts';

const hour = 3600 * second;

function message(change: Partial<FlowBatch> = {}): FlowBatch {
  const sentUs = change.sentUs ?? t0;
  return {
    node: 'n1',
    instance: 'one',
    sequence: 0,
    sentUs,
    coveredUntilUs: sentUs,
    state: { ...emptyState, watchingSinceUs: t0 - 60 * second, stopped: false },
    records: null,
    names: null,
    clock: { wallUs: sentUs, acks: 0, sinceAckUs: 0 },
    ...change,
  };
}

const newAgents = () => new Agents(new NodeClaims(new ClusterHistory()));

t.test('the wall clock that an agent claims moves no time, and is shown', async (t) => {
  const agents = newAgents();
  t.equal(agents.receiveMessage(message(), t0 + 1_000), 1_000);
  for (const [i, stepUs] of [-hour, hour, -second].entries()) {
    const sentUs = t0 + (i + 1) * second;
    const clock = { wallUs: sentUs + stepUs, acks: 0, sinceAckUs: 0 };
    t.equal(agents.receiveMessage(message({ sentUs, clock }), sentUs + 1_000), 1_000);
    t.match(agents.all(), [{ wallOffsetUs: stepUs }]);
  }
});

t.test('a round trip that an agent invents gives at most the offset of that message', async (t) => {
  const agents = newAgents();
  agents.receiveMessage(message(), t0 + 1_000);
  const sentUs = t0 + second;
  t.equal(agents.receiveMessage(message({ sentUs }), sentUs + 5_000, 0), 5_000);
});

t.test('an agent of 0.1.0 has neither clock nor start: it watches since its last interface was watched', async (t) => {
  const agents = newAgents();
  const old = message({ clock: null });
  old.state = { ...emptyState, watchingSinceUs: 0, stopped: false };
  agents.receiveMessage(old, t0);
  t.match(agents.runs.takeChanged(), [{ instance: 'one', watchingSinceUs: t0, stopped: false }]);
  agents.advanceCoverage(old, t0);
  agents.endedInOrder('n1', 'one');
  t.match(agents.runs.takeChanged(), [{ stopped: true }], 'the end of its stream is its only sign');
});

t.test('a newer agent that ends its stream without a word did not stop in order', async (t) => {
  const agents = newAgents();
  agents.receiveMessage(message(), t0);
  agents.advanceCoverage(message(), t0);
  agents.endedInOrder('n1', 'one');
  t.match(agents.runs.takeChanged(), [{ stopped: false }]);
  agents.advanceCoverage(message({ state: { ...emptyState, watchingSinceUs: t0, stopped: true } }), t0 + second);
  t.match(agents.runs.takeChanged(), [{ stopped: true }]);
});

t.test('an agent cannot watch since the future', async (t) => {
  const agents = newAgents();
  const state = { ...emptyState, watchingSinceUs: t0 + hour, stopped: false };
  agents.receiveMessage(message({ state }), t0);
  t.match(agents.runs.takeChanged(), [{ watchingSinceUs: t0 }]);
});
