import t from 'tap';
import { statusText } from '../../cli/status.ts';
import { status } from '../scene/api.ts';

const screen = { width: 200, color: false };
const followers = { now: 0, dropped: 0 };

t.test('the status says which kinds are stale since when, and how long a problem lasts', async (t) => {
  const first = '2026-01-01T05:41:07.000Z';
  const last = '2026-01-01T05:51:07.000Z';
  const text = statusText(
    {
      ...status,
      followers,
      cluster: {
        synced: true,
        stale: [{ resource: 'pods', since: first }],
        problems: [
          'api-unreachable: API server, pods: no answer; check it',
          'bad-cidr: NetworkPolicy shop/db: no; fix it',
        ],
        problemTimes: [
          { first, last, count: 20 },
          { first, last: first, count: 1 },
        ],
      },
      join: { ...status.join, doubtful: 7 },
    },
    screen,
  );
  const lines = text.split('\n');
  t.equal(lines[1], `cluster   stale, so verdicts that depend on it are unknown: pods since ${first}`);
  t.match(lines[2], `no answer; check it (since ${first}, 20 times, last ${last})`);
  t.match(lines[3], `fix it (at ${first})`);
  t.ok(lines.some((line) => line.includes('7 wait for the current state of the cluster')));
});

t.test('the status of an older collector is shown without times', async (t) => {
  const cluster = {
    synced: true,
    problems: ['bad-cidr: NetworkPolicy shop/db: no; fix it'],
  } as unknown as typeof status.cluster;
  const lines = statusText({ ...status, followers, cluster }, screen).split('\n');
  t.equal(lines[1], 'cluster   synced');
  t.match(lines[2], /fix it$/);
});

t.test('the status shows the share of unknown verdicts in the namespaces that have some', async (t) => {
  const namespaces = {
    shop: { connections: 40, unknown: 10 },
    ops: { connections: 900, unknown: 1 },
    blog: { connections: 7, unknown: 0 },
  };
  const lineOf = (change: Partial<typeof status>) =>
    statusText({ ...status, followers, ...change }, screen)
      .split('\n')
      .find((line) => line.startsWith('unknown'));
  t.equal(lineOf({ namespaces }), 'unknown   shop 25 % (10 of 40), ops 1 % (1 of 900)');
  t.equal(lineOf({ namespaces: { blog: namespaces.blog } }), undefined);
  t.equal(lineOf({ namespaces: undefined as unknown as typeof namespaces }), undefined, 'an older collector');
});
