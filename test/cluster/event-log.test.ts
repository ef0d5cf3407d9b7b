import t from 'tap';
import { clusterEventLog } from '../../cluster/event-log.ts';
import { OpenProblems } from '../../cluster/open-problems.ts';
import { second, t0 } from '../scene/records.ts';

const unreachable = (fault: string) => ({ code: 'api-unreachable', place: 'API server, pods', fault, fix: 'check it' });

function scene() {
  const lines: string[] = [];
  const write = (fields: object, message: string) => lines.push([message, ...Object.values(fields)].join(' '));
  const problems = new OpenProblems();
  return { lines, problems, receive: clusterEventLog({ info: write, warn: write }, problems) };
}

t.test('a problem that repeats is one problem with its first and last time, and is logged once a minute', async (t) => {
  const { lines, problems, receive } = scene();
  for (let i = 0; i <= 120; i += 5)
    receive({ type: 'problem', problem: unreachable(i === 0 ? 'ECONNREFUSED' : 'ETIMEDOUT'), atUs: t0 + i * second });
  t.match(problems.all, [{ firstUs: t0, lastUs: t0 + 120 * second, count: 25, problem: { fault: 'ETIMEDOUT' } }]);
  t.same(lines, [
    'api-unreachable: API server, pods: ECONNREFUSED; check it',
    'api-unreachable: API server, pods: ETIMEDOUT; check it 13',
    'api-unreachable: API server, pods: ETIMEDOUT; check it 25',
  ]);
});

t.test('a fixed problem is no longer open, and is logged again when it returns', async (t) => {
  const { lines, problems, receive } = scene();
  receive({ type: 'problem', problem: unreachable('ECONNREFUSED'), atUs: t0 });
  receive({ type: 'fixed', problem: unreachable('ECONNREFUSED'), atUs: t0 + second });
  t.same(problems.all, []);
  receive({ type: 'problem', problem: unreachable('ECONNREFUSED'), atUs: t0 + 2 * second });
  t.match(problems.all, [{ firstUs: t0 + 2 * second, count: 1 }]);
  t.equal(lines[1], 'problem fixed api-unreachable API server, pods');
  t.equal(lines.length, 3);
});

t.test('a stale kind is logged with its time, and when it is current again', async (t) => {
  const { lines, receive } = scene();
  receive({ type: 'stale', kind: 'NetworkPolicy', sinceUs: t0, atUs: t0 + 10 * second });
  receive({ type: 'fresh', kind: 'NetworkPolicy', atUs: t0 + 60 * second });
  t.same(lines, [
    'cluster state is stale, verdicts that depend on it are unknown networkpolicies 2026-01-01T00:00:00.000Z',
    'cluster state is current again networkpolicies 2026-01-01T00:00:00.000Z 2026-01-01T00:01:00.000Z',
  ]);
});
