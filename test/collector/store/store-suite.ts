// Tests that every store must pass.
import fc from 'fast-check';
import type { Test } from 'tap';
import {
  portsFindingId,
  respondersFindingId,
  singleFindingId,
  subjectOf,
} from '../../../collector/findings/finding-id.ts';
import { fairFindings } from '../../../collector/store/fair-findings.ts';
import { connectionMatches, findingMatches } from '../../../collector/store/matches.ts';
import type { ListQuery, Store, StoredBatch } from '../../../collector/store/store.ts';
import { type DnsReport, emptyDnsReport } from '../../../model/dns-answer.ts';
import type { Finding } from '../../../model/finding.ts';
import type { ClusterObject } from '../../../model/kubernetes.ts';
import type { ObjectVersion } from '../../../model/object-version.ts';
import { connection, podEnd } from '../../scene/connections.ts';
import { ingressPolicy, Scene, shop } from '../../scene/pipeline.ts';
import { answered, ip, record, second, t0 } from '../../scene/records.ts';

const all: ListQuery = { last: 100 };

export function batch(sequence: number, change: Partial<StoredBatch> = {}): StoredBatch {
  return {
    node: 'n1',
    instance: 'one',
    sequence,
    clockOffsetUs: 250,
    records: [record(), answered({ podUid: 'uid' })],
    dns: emptyDnsReport,
    ...change,
  };
}

export function finding(change: Partial<Finding> = {}): Finding {
  return {
    id: 'f1',
    kind: 'bypass',
    severity: 'critical',
    initiator: podEnd('shop/web'),
    responder: podEnd('shop/db'),
    protocol: 6,
    port: 5432,
    connections: 1,
    firstSeenUs: t0,
    lastSeenUs: t0 + second,
    explanation: 'why',
    sides: [],
    evidence: {},
    ...change,
  };
}

/** `open` opens the same store again, like after a restart. */
export function storeSuite(t: Test, open: (t: Test) => Promise<() => Promise<Store>>): void {
  t.test('a batch is stored once, also after a restart', async (t) => {
    const again = await open(t);
    const store = await again();
    t.equal(await store.putBatch(batch(1)), true);
    t.equal(await store.putBatch(batch(1)), false);
    const several = await Promise.all([2, 3, 3, 2].map((sequence) => store.putBatch(batch(sequence))));
    t.equal(several.filter((isNew) => isNew).length, 2);
    t.equal(await store.putBatch(batch(1, { instance: 'two' })), true, 'another instance has its own sequence numbers');
    await store.close();
    const after = await again();
    t.equal(await after.putBatch(batch(2)), false);
    t.match(await after.totals(), { batches: 4, records: 8, packets: 16 });
    await after.close();
  });

  t.test('batches are known by node, instance and sequence number, also after a restart', async (t) => {
    const again = await open(t);
    const store = await again();
    t.equal(await store.putBatch(batch(1, { node: 'n2' })), true, 'another node uses the instance of n1 first');
    t.equal(await store.putBatch(batch(1)), true, 'and n1 is not taken for it');
    await store.close();
    const after = await again();
    t.equal(await after.putBatch(batch(1)), false);
    t.equal(await after.putBatch(batch(1, { node: 'n3' })), true);
    await after.close();
  });

  t.test('a batch that cannot be stored does not stop batches of the same time', async (t) => {
    const store = await (await open(t))();
    const bad = [batch(1.5), batch(2, { clockOffsetUs: Number.NaN }), batch(3, { clockOffsetUs: 2 ** 80 })];
    const stored = await Promise.allSettled([
      store.putBatch(batch(7, { node: 'n2' })),
      ...bad.map((one) => store.putBatch(one)),
      store.putBatch(batch(7, { node: 'n3' })),
      store.putBatch(batch(7, { node: 'n3' })),
    ]);
    const [first, fractional, notANumber, tooLarge, last, twice] = stored;
    t.match(first, { status: 'fulfilled', value: true });
    t.match(fractional, { status: 'fulfilled', value: { refused: /1\.5/ } });
    t.match(notANumber, { status: 'fulfilled', value: { refused: /NaN/ } });
    t.match(tooLarge, { status: 'fulfilled', value: { refused: /1\.2089258196146292e\+24 is too large/ } });
    t.match(last, { status: 'fulfilled', value: true });
    t.match(twice, { status: 'fulfilled', value: false });
    t.equal((await store.totals()).batches, 2);
    await store.close();
  });

  t.test('batches, changes, queries and retention at the same time all succeed', async (t) => {
    const store = await (await open(t))();
    const work: Promise<unknown>[] = [];
    for (let i = 1; i <= 40; i++) {
      work.push(store.putBatch(batch(i)));
      work.push(store.write({ connections: [connection({ id: `c${i}` })], findings: [finding({ id: `f${i}` })] }));
      work.push(store.connections(all), store.totals());
      if (i % 10 === 0) work.push(store.applyRetention(t0));
    }
    await Promise.all(work);
    t.match(await store.totals(), { batches: 40, connections: 40, findings: 40 });
    await store.close();
  });

  t.test('records are read back unchanged', async (t) => {
    const store = await (await open(t))();
    const v6 = answered({ initiator: ip('fd00::2'), responder: ip('2001:db8::9'), podUid: 'uid6', interfaceIndex: 8 });
    await store.putBatch(batch(1));
    await store.putBatch(batch(2, { records: [v6] }));
    const back: StoredBatch[] = [];
    for await (const one of store.batchesSince(t0 - second)) back.push(one);
    t.equal(back.length, 2);
    t.same(back[1]!.records, [v6]);
    t.equal(back[0]!.clockOffsetUs, 250);
    for await (const one of store.batchesSince(t0 + second)) t.fail(`too old: ${one.sequence}`);
    await store.close();
  });

  t.test('DNS names are read back unchanged, also those of a batch without records', async (t) => {
    const again = await open(t);
    const store = await again();
    const asked = { interfaceIndex: 7, asked: ip('10.96.0.10') };
    const origin = { ...asked, server: ip('10.0.2.3'), transport: 'TCP' as const };
    const answer = { name: 'www.example', address: ip('2001:db8::9'), atUs: t0 + 5 * second, ttlSeconds: 300, origin };
    const { transport: _, ...servers } = origin;
    const dns: DnsReport = {
      answers: [answer],
      withdrawn: [{ name: 'x.example', address: ip('192.0.2.1'), atUs: t0, origin: servers }],
      unanswered: [{ interfaceIndex: 7, name: 'y.example', atUs: t0, open: true }],
      watched: [{ interfaceIndex: 7, sinceUs: t0, isNew: true, untilUs: 0 }],
    };
    await store.putBatch(batch(1));
    await store.putBatch(batch(2, { records: [], dns }));
    await store.close();
    const after = await again();
    const back: StoredBatch[] = [];
    for await (const one of after.batchesSince(t0 + 4 * second)) back.push(one);
    t.match(back, [{ sequence: 2, records: [], dns }]);
    await after.close();
  });

  t.test('names of interfaces are replaced and removed by key', async (t) => {
    const again = await open(t);
    const store = await again();
    await store.putNames({
      put: [
        { key: 'n1 7', body: 'a' },
        { key: 'n1 8', body: 'b' },
      ],
      removed: [],
    });
    await store.putNames({ put: [{ key: 'n1 7', body: 'c' }], removed: ['n1 8', 'n1 9'] });
    await store.close();
    const after = await again();
    t.same(await after.names(), [{ key: 'n1 7', body: 'c' }]);
    await after.close();
  });

  t.test('a later version of a connection replaces the earlier one', async (t) => {
    const store = await (await open(t))();
    await store.write({ connections: [connection({ verdict: 'unknown' }), connection({ id: 'c2' })] });
    await store.write({ connections: [connection({ verdict: 'denied' })] });
    t.same((await store.connections(all)).map((one) => one.verdict).sort(), ['allowed', 'denied']);
    t.same(await store.connections({ ...all, verdicts: ['unknown'] }), []);
    t.same(await store.connections({ ...all, verdicts: ['denied'] }), [connection({ verdict: 'denied' })]);
    await store.write({ merged: ['c1'] });
    t.same(
      (await store.connections(all)).map((one) => one.id),
      ['c2'],
    );
    await store.close();
  });

  t.test('an end without an owner has neither namespace nor name', async (t) => {
    const store = await (await open(t))();
    const nobodies = {
      initiator: { kind: 'unknown', ip: ip('10.9.0.1') },
      responder: { kind: 'unknown', ip: ip('10.9.0.2') },
    } as const;
    const { responder: _, ...nobody } = finding(nobodies);
    await store.write({ connections: [connection(nobodies)] });
    await store.write({ findings: [nobody] });
    t.same(await store.connections(all), [connection(nobodies)]);
    t.same(await store.findings(all), [nobody]);
    await store.close();
  });

  t.test('if one connection cannot be stored, none of its group is', async (t) => {
    const store = await (await open(t))();
    const many = Array.from({ length: 5_000 }, (_, i) => connection({ id: `c${i}` }));
    await t.rejects(store.write({ connections: [...many, connection({ id: 'bad', endUs: Number.NaN })] }));
    t.equal((await store.totals()).connections, 0);
    await store.write({ connections: many });
    t.equal((await store.totals()).connections, 5_000);
    await store.close();
  });

  t.test('a name with any characters can be queried', async (t) => {
    const store = await (await open(t))();
    const odd = `it's, "quoted" [and] \\ more`;
    await store.write({ connections: [connection({ initiator: { ...podEnd('shop/web'), pod: odd } })] });
    t.equal((await store.connections({ ...all, pods: [odd] })).length, 1);
    t.same(await store.connections({ ...all, pods: ['it'] }), []);
    await store.close();
  });

  t.test('several values of a field match any, several fields must all match; the newest are first', async (t) => {
    const store = await (await open(t))();
    const at = (id: string, seconds: number, namespace: string) =>
      connection({
        id,
        startUs: t0 + seconds * second,
        endUs: t0 + seconds * second,
        initiator: podEnd(`${namespace}/web`),
        responder: { kind: 'external', zone: 'internet' },
      });
    await store.write({
      connections: [at('a', 1, 'shop'), at('b', 2, 'bank'), at('c', 3, 'shop'), at('d', 4, 'blog')],
    });
    const ids = async (query: Partial<ListQuery>) =>
      (await store.connections({ ...all, ...query })).map((one) => one.id);
    t.same(await ids({}), ['d', 'c', 'b', 'a']);
    t.same(await ids({ last: 2 }), ['d', 'c']);
    t.same(await ids({ namespaces: ['shop', 'bank'] }), ['c', 'b', 'a']);
    t.same(await ids({ namespaces: ['shop'], sinceUs: t0 + 2 * second }), ['c']);
    t.same(await ids({ untilUs: t0 + 2 * second }), ['a']);
    t.same(await ids({ pods: ['web-1'] }), ['d', 'c', 'b', 'a'], 'a pod by its name');
    t.same(await ids({ pods: ['nobody'] }), []);
    await store.close();
  });

  t.test('pods can be queried by name, with or without namespace, at either end or at one; and ports', async (t) => {
    const store = await (await open(t))();
    const ends = (from: string, to: string) => ({ initiator: podEnd(from), responder: podEnd(to) });
    const outside = { initiator: podEnd('shop/web'), responder: { kind: 'external', zone: 'internet' } } as const;
    const connections = [
      connection({ id: 'a', ...ends('shop/web', 'shop/db') }),
      connection({ id: 'b', ...ends('bank/web', 'shop/db'), port: 443 }),
      connection({ id: 'c', ...ends('shop/db', 'bank/web'), port: 53, protocol: 17 }),
      connection({ id: 'd', ...outside, protocol: 1, port: 443 }),
    ];
    const alone = finding({ id: 'e', ...ends('shop/web', 'shop/db') });
    const { responder: _, port: __, ...inert } = finding({ id: 'f', initiator: podEnd('bank/web') });
    await store.write({ connections: connections });
    await store.write({ findings: [alone, inert] });
    const expected: [Partial<ListQuery>, connections: string, findings: string][] = [
      [{ pods: ['web'] }, 'abcd', 'ef'],
      [{ pods: ['shop/web'] }, 'ad', 'e'],
      [{ pods: ['bank/web-1'] }, 'bc', 'f'],
      [{ pods: ['bank/db'] }, '', ''],
      [{ pods: ['bank/web', 'shop/db'] }, 'abc', 'ef'],
      [{ fromPods: ['web'] }, 'abd', 'ef'],
      [{ fromPods: ['shop/web'], toPods: ['db-1'] }, 'a', 'e'],
      [{ toPods: ['bank/web', 'shop/nobody'] }, 'c', ''],
      [{ fromPods: ["'; DROP TABLE connections; --"] }, '', ''],
      [{ ports: [443, 53] }, 'bc', ''],
      [{ ports: [5432], namespaces: ['bank'] }, '', ''],
      [{ ports: [5432], pods: ['shop/web'] }, 'a', 'e'],
    ];
    for (const [query, wantedConnections, wantedFindings] of expected) {
      const name = JSON.stringify(query);
      const asked = { ...all, ...query };
      const [held, found] = [await store.connections(asked), await store.findings(asked)];
      t.same(held.map(({ id }) => id).sort(), [...wantedConnections], name);
      t.same(found.map(({ id }) => id).sort(), [...wantedFindings], name);
      const matching = connections.filter((one) => connectionMatches(asked, one)).map(({ id }) => id);
      t.same(matching, [...wantedConnections], `in memory: ${name}`);
      const matchingFindings = [alone, inert].filter((one) => findingMatches(asked, one)).map(({ id }) => id);
      t.same(matchingFindings, [...wantedFindings], `in memory: ${name}`);
    }
    await store.close();
  });

  t.test('a finding can be replaced by id, queried by kind and severity, and removed', async (t) => {
    const store = await (await open(t))();
    await store.write({
      findings: [finding(), finding({ id: 'f2', kind: 'blocked', severity: 'medium', lastSeenUs: t0 })],
    });
    await store.write({ findings: [finding({ connections: 7 })] });
    t.same(
      (await store.findings(all)).map((one) => [one.id, one.connections]),
      [
        ['f1', 7],
        ['f2', 1],
      ],
    );
    t.same(
      (await store.findings({ ...all, kinds: ['blocked'] })).map((one) => one.id),
      ['f2'],
    );
    t.same(await store.findings({ ...all, severities: ['critical'], kinds: ['blocked'] }), []);
    await store.write({ removedFindings: ['f1'] });
    t.same(
      (await store.findings(all)).map((one) => one.id),
      ['f2'],
    );
    await store.close();
  });

  t.test('the findings of a family are read back with the counts of their members', async (t) => {
    const again = await open(t);
    const store = await again();
    const { port: _, ...scan } = finding({ id: 'scan', ports: { count: 3, first: [1, 2, 3] }, memberCounts: '1-3:1' });
    const other = finding({ id: 'other', initiator: podEnd('bank/web') });
    const blocked = finding({ id: 'blocked', kind: 'blocked' });
    await store.write({ findings: [scan, finding(), other, blocked] });
    const web = { kind: 'bypass', initiator: 'pod shop/Deployment/web' } as const;
    const byId = (all: Finding[]) => all.sort((a, b) => (a.id < b.id ? -1 : 1));
    t.same(byId(await store.findingsOf([web])), [finding(), scan]);
    t.same(byId(await store.findingsOf([web, { ...web, kind: 'blocked' }])), [blocked, finding(), scan]);
    t.same(await store.findingsOf([{ ...web, initiator: 'pod shop/Deployment/we' }]), []);
    t.same(await store.findingsOf([]), []);
    await store.close();
    const after = await again();
    t.match(byId(await after.findingsOf([web])), [{ id: 'f1' }, { id: 'scan', memberCounts: '1-3:1' }]);
    const { memberCounts: __, ...listed } = scan;
    t.same(
      (await after.findings({ ...all, kinds: ['bypass'] })).find(({ id }) => id === 'scan'),
      listed,
    );
    await after.close();
  });

  t.test('a connection has the id of the finding that counts it now', async (t) => {
    const store = await (await open(t))();
    const counted = connection({ findingKind: 'bypass', findingId: 'as it was' });
    const subject = subjectOf('bypass', counted);
    await store.write({ connections: [counted, connection({ id: 'c2' })] });
    const idNow = async () => (await store.connections(all)).find(({ id }) => id === 'c1')!.findingId;
    t.equal(await idNow(), 'as it was', 'its finding is not stored');
    for (const id of [singleFindingId(subject), portsFindingId(subject), respondersFindingId(subject)]) {
      await store.write({ findings: [finding({ id })] });
      t.equal(await idNow(), id);
      await store.write({ removedFindings: [id] });
    }
    t.equal((await store.connections(all)).find(({ id }) => id === 'c2')!.findingId, '');
    await store.close();
  });

  t.test('a write is stored completely or not at all', async (t) => {
    const store = await (await open(t))();
    await store.write({ findings: [finding()] });
    const bad = finding({ id: 'bad', lastSeenUs: Number.NaN });
    await t.rejects(
      store.write({ connections: [connection()], merged: ['c0'], findings: [bad], removedFindings: ['f1'] }),
    );
    t.match(await store.totals(), { connections: 0, findings: 1 });
    await store.write({ connections: [connection()], findings: [finding({ id: 'f2' })], removedFindings: ['f1'] });
    t.match(await store.totals(), { connections: 1, findings: 1 });
    await store.close();
  });

  t.test('in a list with a limit, every severity and every initiator gets its share', async (t) => {
    const store = await (await open(t))();
    const scans = Array.from({ length: 50 }, (_, i) => finding({ id: `scan${i}`, lastSeenUs: t0 + 100 * second + i }));
    const honest = finding({ id: 'honest', initiator: podEnd('bank/web') });
    const low = finding({ id: 'low', severity: 'low', lastSeenUs: t0 });
    await store.write({ findings: [...scans, honest, low] });
    const ids = async (last: number) => (await store.findings({ last })).map(({ id }) => id);
    t.same(await ids(3), ['scan49', 'honest', 'low']);
    t.same(await ids(5), ['scan49', 'scan48', 'scan47', 'honest', 'low'], 'newest first');
    t.equal((await ids(100)).length, 52);
    await store.close();
  });

  t.test('the store selects the same findings as a program that has all of them', async (t) => {
    const store = await (await open(t))();
    const one = fc.record({
      severity: fc.constantFrom('critical' as const, 'low' as const, 'info' as const),
      workload: fc.constantFrom('a', 'b', 'c', 'd'),
      seen: fc.nat(5),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 30 }), fc.integer({ min: 1, max: 12 }), async (some, last) => {
        const findings = some.map(({ severity, workload, seen }, i) =>
          finding({ id: `f${i}`, severity, initiator: podEnd(`shop/${workload}`), lastSeenUs: t0 + seen }),
        );
        const stale = (await store.findings(all)).map(({ id }) => id);
        await store.write({ removedFindings: stale });
        await store.write({ findings });
        const selected = fairFindings(findings, last, ({ lastSeenUs }) => lastSeenUs).map(({ id }) => id);
        return (
          (await store.findings({ last }))
            .map(({ id }) => id)
            .sort()
            .join() === selected.sort().join()
        );
      }),
      { numRuns: 60 },
    );
    t.pass();
    await store.close();
  });

  t.test('a rolled-up finding matches every filter of what it is rolled up over', async (t) => {
    const store = await (await open(t))();
    const { port: _, ...overPorts } = finding({ id: 'p', ports: { count: 30, first: [1] } });
    const { responder: __, ...overResponders } = { ...overPorts, id: 'r', responders: { count: 60, first: [] } };
    delete overResponders.ports;
    await store.write({ findings: [overPorts, overResponders, finding({ id: 's' })] });
    const expected: [Partial<ListQuery>, string][] = [
      [{ ports: [22] }, 'pr'],
      [{ ports: [5432] }, 'prs'],
      [{ namespaces: ['bank'] }, 'r'],
      [{ pods: ['bank/web'] }, 'r'],
      [{ toPods: ['nobody'] }, 'r'],
      [{ toPods: ['shop/db'] }, 'prs'],
      [{ fromPods: ['shop/db'] }, ''],
      [{ fromPods: ['web'], toPods: ['nobody'], ports: [1] }, 'r'],
      [{ ports: [22], kinds: ['blocked'] }, ''],
    ];
    for (const [query, wanted] of expected) {
      const asked = { ...all, ...query };
      const found = (await store.findings(asked)).map(({ id }) => id);
      t.same(found.sort(), [...wanted], JSON.stringify(query));
      const matching = [overPorts, overResponders, finding({ id: 's' })].filter((one) => findingMatches(asked, one));
      t.same(matching.map(({ id }) => id).sort(), [...wanted], `in memory: ${JSON.stringify(query)}`);
    }
    await store.close();
  });

  t.test('the latest version of each run of an agent is stored, also after a restart', async (t) => {
    const again = await open(t);
    const store = await again();
    t.same(await store.agentRuns(), []);
    const run = { node: 'n1', instance: 'one', watchingSinceUs: t0, coveredUntilUs: t0 + second, stopped: false };
    const other = { ...run, node: 'n2' };
    await store.writeAgentRuns([run, other]);
    await store.writeAgentRuns([]);
    await store.writeAgentRuns([{ ...run, coveredUntilUs: t0 + 2 * second, stopped: true }]);
    await store.close();
    const after = await again();
    const runs = (await after.agentRuns()).sort((a, b) => (a.node < b.node ? -1 : 1));
    t.same(runs, [{ ...run, coveredUntilUs: t0 + 2 * second, stopped: true }, other]);
    await after.close();
  });

  t.test('old runs of agents are deleted, except the latest of each node', async (t) => {
    const store = await (await open(t))();
    const run = (index: number) => ({
      node: 'n1',
      instance: `run ${index}`,
      watchingSinceUs: t0 + index * second,
      coveredUntilUs: t0 + (index + 1) * second,
      stopped: true,
    });
    await store.writeAgentRuns(Array.from({ length: 30 }, (_, index) => run(index)));
    await store.writeAgentRuns([{ ...run(0), node: 'n2' }]);
    await store.applyRetention(t0);
    const kept = (await store.agentRuns()).map(({ node, instance }) => `${node} ${instance}`);
    t.equal(kept.length, 21, 'the latest 20 of one node');
    t.ok(kept.includes('n1 run 29'));
    await store.applyRetention(t0 + 7200 * second);
    const latest = (await store.agentRuns()).map(({ node, instance }) => `${node} ${instance}`);
    t.same(latest.sort(), ['n1 run 29', 'n2 run 0']);
    await store.close();
  });

  t.test('the clock that was written last is known after a restart', async (t) => {
    const again = await open(t);
    const store = await again();
    t.equal(await store.clock(), undefined);
    await store.writeClock({ nowUs: t0, wallOffsetUs: 5 });
    await store.writeClock({ nowUs: t0 + second, wallOffsetUs: -3600 * second });
    await store.close();
    const after = await again();
    t.same(await after.clock(), { nowUs: t0 + second, wallOffsetUs: -3600 * second });
    await after.close();
  });

  t.test('data older than the age limit is deleted', async (t) => {
    const store = await (await open(t))();
    await store.putBatch(batch(1));
    await store.write({ connections: [connection(), connection({ id: 'c2', endUs: t0 + 3600 * second })] });
    await store.write({ findings: [finding(), finding({ id: 'f2', lastSeenUs: t0 + 3600 * second })] });
    await store.applyRetention(t0 + 3600 * second + 1800 * second);
    t.match(await store.totals(), { batches: 0, connections: 1, findings: 1 });
    await store.close();
  });

  t.test('the objects of the cluster are read back unchanged and in order, also after a restart', async (t) => {
    const again = await open(t);
    const store = await again();
    const [one, two, three] = new Scene('').objects(`${shop}---${ingressPolicy('db', 'web')}`).toReversed();
    const versions: ObjectVersion[] = [
      { type: 'put', object: one!, version: '1', fromUs: 0 },
      { type: 'put', object: two!, version: '', fromUs: t0, sinceUs: t0 - second },
      { type: 'gone', object: one!, version: '', fromUs: t0 + second },
    ];
    await store.putObjectVersions(versions);
    t.equal(await store.cluster(), undefined, 'without what the source knew, they are incomplete');
    const known = { untilUs: { Pod: t0 }, versions: { 'Pod/shop/web': '7' } };
    await store.putKnownObjects({ untilUs: {}, versions: {} });
    await store.putKnownObjects(known);
    t.same(await store.cluster(), { versions, known });
    await store.close();
    const after = await again();
    const last: ObjectVersion = { type: 'put', object: three!, version: '3', fromUs: t0 + 2 * second };
    await after.putObjectVersions([last]);
    t.same(await after.cluster(), { versions: [...versions, last], known });
    await after.close();
  });

  t.test('of objects, all versions of the last hour and the version before are kept', async (t) => {
    const store = await (await open(t))();
    const [kept, gone] = new Scene('').objects(shop) as [ClusterObject, ClusterObject];
    const put = (object: ClusterObject, version: string, fromUs: number): ObjectVersion => {
      return { type: 'put', object, version, fromUs };
    };
    await store.putObjectVersions([put(kept, 'oldest', 0), put(gone, 'gone', 0), put(kept, 'base', t0)]);
    await store.putObjectVersions([{ type: 'gone', object: gone, version: '', fromUs: t0 }]);
    await store.putObjectVersions([put(kept, 'late', t0 + 2 * second), put(kept, 'latest', t0 + 3 * second)]);
    await store.putKnownObjects({ untilUs: {}, versions: {} });
    await store.applyRetention(t0 + 3_600 * second + second);
    t.same(
      (await store.cluster())!.versions.map(({ version }) => version),
      ['base', 'late', 'latest'],
    );
    await store.close();
  });
}
