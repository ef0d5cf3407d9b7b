// Compares the ends for pods outside the manifests with the policy engine on small random clusters: a pod that is not in the
// manifests gets exactly what the lines say whose end it is. CONNECTIVITY_SEED repeats a run, CONNECTIVITY_CLUSTERS sets its
// length.
import t from 'tap';
import type { ConnectionSet } from '../../connectivity/connection-set.ts';
import { connectivity, passingVerdicts } from '../../connectivity/connectivity.ts';
import type { DeclaredEndpoint, EndpointGroupJson, PodScopeJson } from '../../connectivity/endpoint-groups.ts';
import type { Line } from '../../connectivity/lines.ts';
import type { LabelSelector, Requirement } from '../../model/kubernetes.ts';
import { ICMP, SCTP, TCP, UDP } from '../../model/protocol.ts';
import type { Direction, Flow } from '../../model/verdict.ts';
import { judgeOneSide } from '../../policy/judge.ts';
import { compilePolicies } from '../../policy/policy-set.ts';
import { selects } from '../../policy/selectors.ts';
import { Chance } from '../policy/oracle/chance.ts';
import { randomCluster } from '../policy/oracle/random-cluster.ts';
import { randomLabels } from '../policy/oracle/random-selectors.ts';
import { translated } from '../policy/oracle/translate.ts';
import { type PodParty, pod } from '../scene/cluster.ts';

const seed = Number(process.env.CONNECTIVITY_SEED ?? Date.now() % 1_000_000_000);
const clusters = Number(process.env.CONNECTIVITY_CLUSTERS ?? 200);
const questionsEach = 100;
const everything = { verdicts: passingVerdicts, includesPair: () => true };

type AnyLine = Line<{ connections: ConnectionSet }>;

function workload(name: string, party: PodParty): DeclaredEndpoint {
  const { namespace } = party;
  return { kind: 'workload', namespace, workload: { kind: 'Deployment', name }, pods: [{ name, party }] };
}

function otherEnd({ initiator, responder }: AnyLine, side: Direction): EndpointGroupJson {
  return side === 'egress' ? responder : initiator;
}

function isLineOf(line: AnyLine, name: string, side: Direction): boolean {
  const own = side === 'egress' ? line.initiator : line.responder;
  return own.kind === 'pod' && own.workload === name && otherEnd(line, side).kind === 'other-pods';
}

function includes(scope: PodScopeJson, { labels, namespace, namespaceLabels }: PodParty): boolean {
  return (
    (scope.namespaces?.includes(namespace) ?? true) &&
    selects(parsedSelector(scope.namespaceSelector), namespaceLabels) &&
    selects(parsedSelector(scope.podSelector), labels)
  );
}

function isIn(end: EndpointGroupJson, one: PodParty): boolean {
  if (end.kind !== 'other-pods') return false;
  return includes(end, one) && !(end.except ?? []).some((scope) => includes(scope, one));
}

/** Reads the syntax of `kubectl -l`. */
function parsedSelector(text = ''): LabelSelector {
  const parts = text === '' ? [] : text.split(/,(?! )/);
  return parts.map((part): Requirement => {
    const [, key, not, list] = /^(\S+) (not)?in \((.*)\)$/.exec(part) ?? [];
    if (key !== undefined) return { key, operator: not ? 'NotIn' : 'In', values: list!.split(', ') };
    const [, name, sign, value] = /^([^!=]+)(!?=)(.*)$/.exec(part) ?? [];
    if (name !== undefined) return { key: name, operator: sign === '=' ? 'In' : 'NotIn', values: [value!] };
    if (part.startsWith('!')) return { key: part.slice(1), operator: 'DoesNotExist', values: [] };
    return { key: part, operator: 'Exists', values: [] };
  });
}

function covers({ entry }: AnyLine, { protocol, port }: Flow): boolean {
  return entry.connections.some((one) => {
    if (one.protocol === 'other') return protocol === ICMP;
    return one.protocol === protocol && one.ports.some(({ from, to }) => port! >= from && port! <= to);
  });
}

/** A pod of a namespace that is not in the manifests. */
function strangerBy(chance: Chance): PodParty {
  const traits = { ips: [], node: '', namespaceLabels: randomLabels(chance) };
  return pod('faraway/stranger', randomLabels(chance), traits);
}

function flowBy(chance: Chance, side: Direction, own: PodParty, other: PodParty): Flow {
  const [initiator, responder] = side === 'egress' ? [own, other] : [other, own];
  const protocol = chance.one([TCP, TCP, UDP, SCTP, ICMP]);
  const port = chance.one([1, 79, 80, 81, 82, 89, 90, 91, 442, 443, 444, 65_535]);
  return { initiator, responder, protocol, ...(protocol !== ICMP && { port }) };
}

t.test(`${clusters} clusters: a pod outside the manifests gets what the lines of its ends say`, async (t) => {
  t.comment(`CONNECTIVITY_SEED=${seed}`);
  const counts = new Map<string, number>();
  for (let at = 0; at < clusters; at++) {
    const chance = new Chance(seed + at);
    const { parties, policies: raw, options } = randomCluster(chance);
    const policies = raw.map(translated);
    const pods = parties.filter((party) => party.kind === 'pod').map((one, index) => ({ ...one, name: `w${index}` }));
    const lines = [
      ...connectivity({ endpoints: pods.map((one) => workload(one.name, one)), policies }, options, everything),
    ];
    for (let asked = 0; asked < questionsEach; asked++) {
      const [own, other] = [chance.one(pods), strangerBy(chance)];
      const side = chance.one(['egress', 'ingress'] as const);
      const flow = flowBy(chance, side, own, other);
      const expected = judgeOneSide(side, flow, compilePolicies(policies), options)!.verdict;
      counts.set(expected, (counts.get(expected) ?? 0) + 1);
      const found = lines.filter((line) => isLineOf(line, own.name, side) && isIn(otherEnd(line, side), other));
      const listed = new Set(found.filter((line) => covers(line, flow)).map(({ entry }) => entry.verdict));
      if (listed.has('allowed')) listed.delete('unknown');
      if (String([...listed]) === (expected === 'denied' ? '' : expected)) continue;
      const what = `${side} ${JSON.stringify(flow)} is ${expected}, listed: ${JSON.stringify(found)}`;
      t.fail(`CONNECTIVITY_SEED=${seed + at}: ${what}`);
      return;
    }
  }
  for (const verdict of ['allowed', 'undeclared', 'denied', 'unknown']) t.ok((counts.get(verdict) ?? 0) > 100, verdict);
});
