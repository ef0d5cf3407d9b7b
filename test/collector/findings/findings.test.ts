// Whatever happens in whatever order, each connection counts once, and many findings are rolled up.
import fc from 'fast-check';
import t from 'tap';
import { maxSinglePorts, maxSingleResponders } from '../../../collector/findings/family.ts';
import { workloadKey } from '../../../collector/findings/finding-id.ts';
import { Findings } from '../../../collector/findings/findings.ts';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { hasPorts, ICMP, TCP, UDP } from '../../../model/protocol.ts';
import { podEnd } from '../../scene/connections.ts';
import { evaluated, type FindingCause, findingCauses } from '../../scene/evaluated.ts';
import { second, t0 } from '../../scene/records.ts';

type Seen = { id: string; initiator: string; responder: string; protocol: number; port: number; atUs: number };

/** Findings with a store, a follower and restarts. */
class Run {
  findings: Findings;
  readonly stored = new Map<string, Finding>();
  readonly connections = new Map<string, Connection>();
  readonly followed = new Map<string, Finding>();
  readonly faults: string[] = [];
  readonly #maxFindings: number;
  readonly #touched = new Map<string, Connection>();
  readonly #latest = new Map<string, [Seen, FindingCause]>();

  constructor(maxFindings = Number.POSITIVE_INFINITY) {
    this.#maxFindings = maxFindings;
    this.findings = new Findings(maxFindings);
  }

  /** As the pipeline: connections that are not retired are evaluated again to describe a finding. */
  describe(): void {
    for (const id of this.findings.connectionsToDescribe()) {
      const [seen, cause] = this.#latest.get(id)!;
      this.evaluate(seen, cause);
    }
  }

  evaluate(seen: Seen, cause: FindingCause): void {
    this.#latest.set(seen.id, [seen, cause]);
    this.#evaluate(seen, cause);
  }

  #evaluate({ id, initiator, responder, protocol, port, atUs }: Seen, cause: FindingCause): void {
    const ends = { initiator: podEnd(`shop/${initiator}`), responder: podEnd(`shop/${responder}`) };
    const times = { startUs: atUs, endUs: atUs + second };
    this.#touched.set(id, this.findings.update(evaluated(cause, { id, ...ends, ...times, protocol, port })));
  }

  retract(id: string): void {
    this.findings.retract(id);
    this.#touched.delete(id);
    this.connections.delete(id);
  }

  /** As the collector: stored findings are read back, changes are published and stored, and findings are evicted. */
  publish(): void {
    const families = this.findings.incompleteFamilies();
    const isOf = (one: Finding) =>
      families.some(({ kind, initiator }) => kind === one.kind && initiator === workloadKey(one.initiator));
    this.findings.load(families, [...this.stored.values()].filter(isOf));
    this.describe();
    const { put, removed } = this.findings.changes();
    const before = this.#followedConnections();
    for (const finding of put) this.followed.set(finding.id, finding);
    if (this.#followedConnections() < before + Math.min(0, sum(put) - before))
      this.faults.push('the follower lost a count');
    for (const id of removed) this.followed.delete(id);
    for (const finding of put) this.stored.set(finding.id, JSON.parse(JSON.stringify(finding)));
    for (const id of removed) this.stored.delete(id);
    for (const [id, connection] of this.#touched) {
      const withId = this.findings.withFindingId(connection);
      this.connections.set(id, withId);
      if (withId.findingKind !== undefined && !this.stored.has(withId.findingId))
        this.faults.push(`${id} counts in ${withId.findingId}, which does not exist`);
    }
    this.#touched.clear();
    this.findings.evict();
  }

  restart(): void {
    this.publish();
    this.findings = new Findings(this.#maxFindings);
    this.findings.restore([...this.connections.values()], []);
  }

  #followedConnections(): number {
    return sum([...this.followed.values()]);
  }
}

function sum(findings: readonly Finding[]): number {
  return findings.reduce((connections, one) => connections + one.connections, 0);
}

/** Counts each connection alone, and rolls up by the rules of docs/findings.md. */
class Model {
  readonly counted = new Map<string, { kind: FindingCause; seen: Seen }>();
  readonly #rolledUp = new Set<string>();

  /** After each step, because a finding stays rolled up until it counts nothing. */
  rollUp(): void {
    for (const [family, all] of this.#families()) {
      const maxResponders = family.startsWith('unevaluated') ? 0 : maxSingleResponders;
      if (Map.groupBy(all, ({ seen }) => seen.responder).size > maxResponders) this.#rolledUp.add(family);
      for (const [group, some] of groupsOf(family, all))
        if (Map.groupBy(some, portOf).size > maxSinglePorts) this.#rolledUp.add(group);
    }
    const alive = new Set([...this.#families()].flatMap(([family, all]) => [family, ...groupsOf(family, all).keys()]));
    for (const one of this.#rolledUp) if (!alive.has(one)) this.#rolledUp.delete(one);
    for (const family of this.#families().keys()) {
      if (!this.#rolledUp.has(family)) continue;
      for (const one of this.#rolledUp) if (one.startsWith(`${family} `)) this.#rolledUp.delete(one);
    }
  }

  lines(): string[] {
    const lines: string[] = [];
    for (const [family, all] of this.#families()) {
      if (this.#rolledUp.has(family)) {
        const responders = [...new Set(all.map(({ seen }) => seen.responder))].sort();
        lines.push(`${family} -> ${members(responders)}: ${all.length}${severityOf(all)}`);
        continue;
      }
      for (const [group, some] of groupsOf(family, all)) {
        const byPort = Map.groupBy(some, portOf);
        if (this.#rolledUp.has(group)) {
          lines.push(
            `${group} ${members([...byPort.keys()].sort((a, b) => a - b))}: ${some.length}${severityOf(some)}`,
          );
        } else
          for (const [port, connections] of byPort)
            lines.push(`${group} ${port}: ${connections.length}${severityOf(connections)}`);
      }
    }
    return lines.sort();
  }

  #families() {
    return Map.groupBy(this.counted.values(), ({ kind, seen }) => `${kindOf(kind)} ${seen.initiator}`);
  }
}

type Counted = { kind: FindingCause; seen: Seen };

function kindOf(cause: FindingCause): string {
  if (cause === 'unevaluated' || cause === 'ambiguous') return `unevaluated (${findingCauses[cause].unknownReason})`;
  return cause === 'inferredBypass' ? 'bypass' : cause;
}

/** A bypass is critical if one of its connections is. */
function severityOf(all: readonly Counted[]): string {
  return all.some(({ kind }) => kind === 'bypass') ? ' critical' : '';
}

function groupsOf(family: string, all: readonly Counted[]) {
  return Map.groupBy(
    all,
    ({ seen }) => `${family} -> ${seen.responder} ${hasPorts(seen.protocol) ? seen.protocol : 'other'}`,
  );
}

function portOf({ seen }: Counted): number {
  return hasPorts(seen.protocol) ? seen.port : seen.protocol;
}

function members(all: readonly (string | number)[]): string {
  return `{${all.length}: ${all.slice(0, 20).join(' ')}}`;
}

function kindText({ kind, evidence }: Finding): string {
  return kind === 'unevaluated' ? `${kind} (${evidence.reason})` : kind;
}

function linesOf(findings: Iterable<Finding>): string[] {
  return [...findings]
    .map((one) => {
      const family = `${kindText(one)} ${one.initiator.workload}`;
      const { responder, responders, ports, protocols, protocol, port, severity } = one;
      const connections = `${one.connections}${severity === 'critical' ? ' critical' : ''}`;
      if (responders !== undefined)
        return `${family} -> {${responders.count}: ${responders.first.map(({ workload }) => workload).join(' ')}}: ${connections}`;
      const group = `${family} -> ${responder!.workload}`;
      if (protocols !== undefined)
        return `${group} other {${protocols.count}: ${protocols.first.join(' ')}}: ${connections}`;
      if (ports !== undefined) return `${group} ${protocol} {${ports.count}: ${ports.first.join(' ')}}: ${connections}`;
      return `${group} ${hasPorts(protocol!) ? `${protocol} ${port}` : `other ${protocol}`}: ${connections}`;
    })
    .sort();
}

const causes = [
  ...(['bypass', 'inferredBypass', 'blocked', 'undeclared', 'broken', 'none'] as const),
  ...(['unevaluated', 'ambiguous'] as const),
];
const initiator = fc.constantFrom('web', 'api');
const responder = fc.nat(60).map(workload);
const cause = fc.constantFrom(...causes);
const few = fc.integer({ min: 1, max: 3 });
const many = fc.integer({ min: 1, max: 26 });
const which = fc.record({ from: fc.nat(500), count: fc.integer({ min: 1, max: 70 }) });

function workload(i: number): string {
  return `w${String(i).padStart(2, '0')}`;
}

/** Creates connections: some ports of one responder, one port of some responders, or some protocols. */
const creation = fc.oneof(
  fc.record({
    op: fc.constant('ports' as const),
    cause,
    initiator,
    responder,
    from: fc.nat(30),
    count: fc.oneof(few, many),
    udp: fc.boolean(),
  }),
  fc.record({
    op: fc.constant('responders' as const),
    cause,
    initiator,
    from: fc.nat(20),
    count: fc.oneof(few, fc.integer({ min: 1, max: 55 })),
  }),
  fc.record({
    op: fc.constant('protocols' as const),
    cause,
    initiator,
    responder,
    from: fc.nat(10),
    count: fc.oneof(few, many),
  }),
);
type Creation = typeof creation extends fc.Arbitrary<infer Value> ? Value : never;

function created(one: Creation, idFrom: number): Seen[] {
  return Array.from({ length: one.count }, (_, i): Seen => {
    const seen = { id: `c${idFrom + i}`, initiator: one.initiator, atUs: t0 + (((idFrom + i) * 7919) % 1000) * second };
    if (one.op === 'responders') return { ...seen, responder: workload(one.from + i), protocol: TCP, port: 22 };
    if (one.op === 'ports')
      return { ...seen, responder: one.responder, protocol: one.udp ? UDP : TCP, port: 1 + one.from + i };
    return {
      ...seen,
      responder: one.responder,
      protocol: [ICMP, 47, 50, 51, 89][one.from + i] ?? 90 + one.from + i,
      port: 0,
    };
  });
}

const step = fc.oneof(
  { weight: 5, arbitrary: creation },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('again' as const), which, cause }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('retract' as const), which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('retire' as const), which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Does the same to both. Retired connections are not evaluated again before a restart. */
function play(run: Run, steps: readonly Step[], afterStep: (model: Model) => void): Model {
  const model = new Model();
  const all: Seen[] = [];
  const retired = new Set<string>();
  const set = (seen: Seen, kind: FindingCause) => {
    if (kind === 'none') model.counted.delete(seen.id);
    else model.counted.set(seen.id, { kind, seen });
    run.evaluate(seen, kind);
  };
  for (const one of steps) {
    switch (one.op) {
      case 'again':
      case 'retract':
      case 'retire':
        for (const seen of all.slice(one.which.from % (all.length + 1)).slice(0, one.which.count)) {
          if (retired.has(seen.id)) continue;
          if (one.op === 'again') set(seen, one.cause);
          else {
            retired.add(seen.id);
            if (one.op === 'retire') run.findings.forgetConnection(seen.id);
            else {
              model.counted.delete(seen.id);
              run.retract(seen.id);
              all.splice(all.indexOf(seen), 1);
            }
          }
        }
        break;
      case 'restart':
        run.restart();
        retired.clear();
        break;
      default: {
        const seen = created(one, all.length + 1000 * steps.indexOf(one));
        all.push(...seen);
        for (const each of seen) set(each, one.cause);
      }
    }
    model.rollUp();
    afterStep(model);
  }
  run.publish();
  return model;
}

t.test('counts and roll-ups are exact, also after re-evaluation, merges, eviction and restarts', async (t) => {
  const maxFindings = fc.constantFrom(0, 5, 60, Number.POSITIVE_INFINITY);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), maxFindings, (steps, max) => {
      const run = new Run(max);
      const model = play(run, steps, (expected) => {
        run.publish();
        same(linesOf(run.stored.values()), expected.lines());
        same(wronglyDescribed(run.stored.values(), expected), []);
      });
      same(linesOf(run.followed.values()), model.lines());
      same(run.faults, []);
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('without a store, the findings are the same', async (t) => {
  const noRestart = step.filter(({ op }) => op !== 'restart');
  fc.assert(
    fc.property(fc.array(noRestart, { maxLength: 25 }), (steps) => {
      const run = new Run();
      const model = play(run, steps, () => undefined);
      same(linesOf(run.findings.all()), model.lines());
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('the order of connections, publishing, eviction and restarts do not matter', async (t) => {
  const events = fc.array(fc.constantFrom('publish', 'restart', 'nothing', 'nothing'), { maxLength: 40 });
  const scenes = fc
    .array(creation, { minLength: 1, maxLength: 6 })
    .map((some) => some.flatMap((one, i) => created(one, i * 1000).map((seen) => ({ seen, cause: one.cause }))))
    .chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    );
  fc.assert(
    fc.property(scenes, events, fc.constantFrom(3, Number.POSITIVE_INFINITY), ([all, shuffled], happening, max) => {
      const plain = new Run();
      for (const { seen, cause: kind } of all) plain.evaluate(seen, kind);
      plain.publish();
      const run = new Run(max);
      for (const [i, { seen, cause: kind }] of shuffled.entries()) {
        run.evaluate(seen, kind);
        // A second evaluation changes nothing.
        if (i % 3 === 0) run.evaluate(seen, kind);
        const event = happening[i % (happening.length + 1)];
        if (event === 'restart') run.restart();
        else if (event === 'publish') run.publish();
      }
      run.publish();
      same(byId(run), byId(plain));
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('counts are exact if many steps happen between two writes', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const run = new Run(0);
      const model = play(run, steps, () => undefined);
      const kinds = [...model.counted.values()].map(({ kind, seen }) => `${kindOf(kind)} ${seen.initiator}`);
      const counts = (names: readonly string[]) =>
        [...Map.groupBy(names, (it) => it)].map(([name, { length }]) => `${name} ${length}`);
      const found = [...run.stored.values()].flatMap((one) =>
        Array.from({ length: one.connections }, () => `${kindText(one)} ${one.initiator.workload}`),
      );
      same(counts(found).sort(), counts(kinds).sort());
      same([...run.followed.keys()].sort(), [...run.stored.keys()].sort());
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('a scan of all ports is one finding, which lists the first ports', async (t) => {
  const run = new Run();
  const seen = { initiator: 'web', responder: 'db', protocol: TCP, atUs: t0 };
  for (let port = 65_535; port >= 1; port--) {
    run.evaluate({ ...seen, id: `c${port}`, port }, 'bypass');
    run.findings.forgetConnection(`c${port}`);
    if (port % 5_000 === 0) run.publish();
  }
  run.publish();
  const first = Array.from({ length: 20 }, (_, i) => i + 1);
  t.match(run.findings.all(), [{ connections: 65_535, ports: { count: 65_535, first }, memberCounts: '1-65535:1' }]);
  t.equal(run.stored.size, 1);
  t.same(run.faults, []);
});

/** Findings whose example is a connection that they do not count. */
function wronglyDescribed(findings: Iterable<Finding>, { counted }: Model): Finding[] {
  return [...findings].filter((finding) => {
    const { connection, initiator } = finding;
    if (connection === undefined) return false;
    const known = counted.get(connection.id);
    return (
      known === undefined || kindOf(known.kind) !== kindText(finding) || known.seen.initiator !== initiator.workload
    );
  });
}

function byId(run: Run): unknown[] {
  const plain = [...run.stored.values()].map((one) => JSON.parse(JSON.stringify(one)) as Finding);
  return plain.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`found ${JSON.stringify(found, null, 1)}\nwanted ${JSON.stringify(wanted, null, 1)}`);
}
