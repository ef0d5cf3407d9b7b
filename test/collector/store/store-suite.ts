// Tests that every store must pass.
import type { Test } from 'tap';
import { connectionMatches, findingMatches } from '../../../collector/store/matches.ts';
import type { ListQuery, Store, StoredBatch } from '../../../collector/store/store.ts';
import type { Finding } from '../../../model/finding.ts';
import { connection, podEnd } from '../../scene/connections.ts';
import { answered, ip, record, second, t0 } from '../../scene/records.ts';

const all: ListQuery = { last: 100 };

export function batch(sequence: number, change: Partial<StoredBatch> = {}): StoredBatch {
  return {
    node: 'n1',
    instance: 'one',
    sequence,
    clockOffsetUs: 250,
    records: [record(), answered({ podUid: 'uid' })],
    dnsAnswers: [],
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
    const names = [{ name: 'www.example', address: ip('2001:db8::9'), atUs: t0 + 5 * second, ttlSeconds: 300 }];
    await store.putBatch(batch(1));
    await store.putBatch(batch(2, { records: [], dnsAnswers: names }));
    await store.close();
    const after = await again();
    const back: StoredBatch[] = [];
    for await (const one of after.batchesSince(t0 + 4 * second)) back.push(one);
    t.match(back, [{ sequence: 2, records: [], dnsAnswers: names }]);
    await after.close();
  });

  t.test('a later version of a connection replaces the earlier one', async (t) => {
    const store = await (await open(t))();
    await store.putConnections([connection({ verdict: 'unknown' }), connection({ id: 'c2' })]);
    await store.putConnections([connection({ verdict: 'denied' })]);
    t.same((await store.connections(all)).map((one) => one.verdict).sort(), ['allowed', 'denied']);
    t.same(await store.connections({ ...all, verdicts: ['unknown'] }), []);
    t.same(await store.connections({ ...all, verdicts: ['denied'] }), [connection({ verdict: 'denied' })]);
    await store.removeConnections(['c1']);
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
    await store.putConnections([connection(nobodies)]);
    await store.putFindings([nobody]);
    t.same(await store.connections(all), [connection(nobodies)]);
    t.same(await store.findings(all), [nobody]);
    await store.close();
  });

  t.test('if one connection cannot be stored, none of its group is', async (t) => {
    const store = await (await open(t))();
    const many = Array.from({ length: 5_000 }, (_, i) => connection({ id: `c${i}` }));
    await t.rejects(store.putConnections([...many, connection({ id: 'bad', endUs: Number.NaN })]));
    t.equal((await store.totals()).connections, 0);
    await store.putConnections(many);
    t.equal((await store.totals()).connections, 5_000);
    await store.close();
  });

  t.test('a name with any characters can be queried', async (t) => {
    const store = await (await open(t))();
    const odd = `it's, "quoted" [and] \\ more`;
    await store.putConnections([connection({ initiator: { ...podEnd('shop/web'), pod: odd } })]);
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
    await store.putConnections([at('a', 1, 'shop'), at('b', 2, 'bank'), at('c', 3, 'shop'), at('d', 4, 'blog')]);
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
    await store.putConnections(connections);
    await store.putFindings([alone, inert]);
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
    await store.putFindings([finding(), finding({ id: 'f2', kind: 'blocked', severity: 'medium', lastSeenUs: t0 })]);
    await store.putFindings([finding({ connections: 7 })]);
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
    await store.removeFindings(['f1']);
    t.same(
      (await store.findings(all)).map((one) => one.id),
      ['f2'],
    );
    await store.close();
  });

  t.test('data older than the age limit is deleted', async (t) => {
    const store = await (await open(t))();
    await store.putBatch(batch(1));
    await store.putConnections([connection(), connection({ id: 'c2', endUs: t0 + 3600 * second })]);
    await store.putFindings([finding(), finding({ id: 'f2', lastSeenUs: t0 + 3600 * second })]);
    await store.applyRetention(t0 + 3600 * second + 1800 * second);
    t.match(await store.totals(), { batches: 0, connections: 1, findings: 1 });
    await store.close();
  });
}
