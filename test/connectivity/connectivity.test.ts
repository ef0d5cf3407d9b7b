// Compares the listed connections with the policy engine on small random clusters: each listed connection has the engine's
// verdict, and the engine denies all others. CONNECTIVITY_SEED repeats a run, CONNECTIVITY_CLUSTERS sets its length.
import t from 'tap';
import { connectivity, passingVerdicts } from '../../connectivity/connectivity.ts';
import { type ChangeKind, changeKinds, difference } from '../../connectivity/difference.ts';
import type { DeclaredEndpoint } from '../../connectivity/endpoint-groups.ts';
import type { ClusterState } from '../../connectivity/lines.ts';
import { ICMP, SCTP, TCP, UDP } from '../../model/protocol.ts';
import type { RecognisedPolicy } from '../../model/recognised-policy.ts';
import type { Flow, Party } from '../../model/verdict.ts';
import { reasonText, verdictJson } from '../../policy/explain.ts';
import { judge } from '../../policy/judge.ts';
import { compilePolicies } from '../../policy/policy-set.ts';
import { Chance } from '../policy/oracle/chance.ts';
import { randomCluster } from '../policy/oracle/random-cluster.ts';
import { namespaces, randomLabels } from '../policy/oracle/random-selectors.ts';
import { translated } from '../policy/oracle/translate.ts';
import { recognised } from '../scene/recognised.ts';
import { ip } from '../scene/records.ts';
import { coversFlow } from './covers-flow.ts';

const seed = Number(process.env.CONNECTIVITY_SEED ?? Date.now() % 1_000_000_000);
const clusters = Number(process.env.CONNECTIVITY_CLUSTERS ?? 200);
const questionsEach = 150;
const everything = { verdicts: passingVerdicts, includesPair: () => true };

type Cluster = ClusterState & { options: ReturnType<typeof randomCluster>['options']; parties: Party[] };

function clusterBy(chance: Chance): Cluster {
  const { parties, policies, options } = randomCluster(chance);
  const inside = parties.filter((party) => party.kind !== 'address' || party.node !== undefined);
  const others = randomRecognised(chance);
  return {
    endpoints: endpointsOf(inside),
    policies: [...policies.map(translated), ...others],
    options,
    parties: inside,
  };
}

/** In a quarter of the clusters, policies of other APIs. */
function randomRecognised(chance: Chance): RecognisedPolicy[] {
  if (!chance.once(4)) return [];
  const label = () => Object.entries(randomLabels(chance)).slice(0, 1);
  const matchLabels = () => Object.fromEntries(label());
  const namespace = () => chance.one(namespaces);
  const types = () => (chance.once(2) ? ['Ingress'] : ['Egress']);
  const calicoSelector = () => label().map(([key, value]) => `${key} == '${value}'`)[0] ?? 'all()';
  const made = [
    () =>
      recognised('CiliumNetworkPolicy.cilium.io', `${namespace()}/c`, {
        ...{ endpointSelector: { matchLabels: matchLabels() }, [chance.once(2) ? 'ingress' : 'egressDeny']: [{}] },
      }),
    () => recognised('GlobalNetworkPolicy.projectcalico.org', 'g', { selector: calicoSelector(), types: types() }),
    () =>
      recognised('ClusterNetworkPolicy.crd.antrea.io', 'a', {
        appliedTo: [{ podSelector: { matchLabels: matchLabels() } }],
        ingress: [{ action: chance.one(['Allow', 'Drop', 'Pass']) }],
      }),
    () => recognised('EgressFirewall.k8s.ovn.org', `${namespace()}/default`, { egress: [{ type: 'Deny' }] }),
  ];
  return made.filter(() => chance.once(2)).map((make) => make());
}

/** Most pods of a namespace belong to one Deployment. A template and a host-network pod are separate workloads. */
function endpointsOf(parties: readonly Party[]): DeclaredEndpoint[] {
  const endpoints: DeclaredEndpoint[] = [];
  const deployments = new Map<string, { name: string; party: Party }[]>();
  for (const [at, party] of parties.entries()) {
    if (party.kind === 'address') endpoints.push({ kind: 'node', name: party.node!, parties: [party] });
    else if (party.kind === 'pod' && party.representsWorkload === undefined && party.name !== 's') {
      const pods = deployments.get(party.namespace) ?? [];
      pods.push({ name: party.name, party });
      deployments.set(party.namespace, pods);
    } else {
      const kind = party.kind === 'pod' && party.representsWorkload === undefined ? 'Pod' : 'DaemonSet';
      const workload = { kind, name: `${party.name}-${at}` };
      endpoints.push({ kind: 'workload', namespace: party.namespace, workload, pods: [{ name: party.name, party }] });
    }
  }
  for (const [namespace, pods] of deployments) {
    endpoints.push({ kind: 'workload', namespace, workload: { kind: 'Deployment', name: 'd' }, pods });
  }
  return endpoints;
}

const names = ['example.com', 'api.example.com', 'a.b.example.com', 'notexample.com', 'example.net'];
const someAddresses = [
  '9.255.255.255',
  '10.0.0.0',
  '10.0.0.127',
  '10.0.0.128',
  '10.0.1.0',
  '10.0.1.77',
  '192.0.2.1',
].concat([
  '203.0.113.7',
  '255.255.255.255',
  '0.0.0.0',
  '::',
  '2001:db8::77',
  '2001:db8:1::77',
  '2001:db8:ffff::',
  'fd00::1',
  '3fff::1',
]);

function outsideBy(chance: Chance): Party {
  const address = ip(chance.one(someAddresses));
  return { kind: 'address', address, ...(chance.once(2) && { names: [chance.one(names)], namesKnown: true as const }) };
}

function randomFlow(chance: Chance, parties: readonly Party[]): Flow | undefined {
  const pods = parties.filter((party) => party.kind === 'pod');
  const pod = chance.one(pods);
  const other = chance.once(3) ? outsideBy(chance) : chance.one(parties);
  // A pod and itself have no line.
  if (other === pod && pod.representsWorkload === undefined) return undefined;
  const [initiator, responder] = chance.once(2) ? [pod, other] : [other, pod];
  const protocol = chance.one([TCP, TCP, UDP, SCTP, ICMP]);
  const port = chance.one([1, 79, 80, 81, 82, 89, 90, 91, 442, 443, 444, 65_535]);
  return { initiator, responder, protocol, ...(protocol !== ICMP && { port }) };
}

function verdictOf(flow: Flow, { policies, options }: Cluster) {
  const { initiator, responder } = flow;
  // Two pods of the same name in the random cluster are two pods.
  const apart = (party: Party): Party => (party.kind === 'pod' ? { ...party, representsWorkload: true } : party);
  const asked = { ...flow, initiator: apart(initiator), responder: apart(responder) };
  return verdictJson(judge(asked, compilePolicies(policies), options));
}

/** Whether both ends have a common family. */
function isOfFamily({ initiator, responder }: Flow): boolean {
  const familiesOf = (party: Party) => {
    const addresses = party.kind === 'address' ? [party.address] : party.kind === 'pod' ? party.addresses : [];
    return addresses.length === 0 ? [true, false] : addresses.map((one) => one.includes(':'));
  };
  return familiesOf(initiator).some((one) => familiesOf(responder).includes(one));
}

t.test(`${clusters} clusters: listed connections have the engine's verdict, and all others are denied`, async (t) => {
  t.comment(`CONNECTIVITY_SEED=${seed}`);
  const counts = new Map<string, number>();
  for (let at = 0; at < clusters; at++) {
    const chance = new Chance(seed + at);
    const cluster = clusterBy(chance);
    const lines = [...connectivity(cluster, cluster.options, everything)];
    for (let asked = 0; asked < questionsEach; asked++) {
      const flow = randomFlow(chance, cluster.parties);
      if (flow === undefined || !isOfFamily(flow)) continue;
      const { verdict, reason } = verdictOf(flow, cluster);
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
      const found = lines.filter((line) => coversFlow(line, flow, cluster.endpoints));
      const expected = verdict === 'denied' ? [] : [reason === undefined ? verdict : `${verdict}: ${bare(reason)}`];
      const listed = found.map(({ entry: { verdict, why } }) =>
        why === undefined ? verdict : `${verdict}: ${bare(reasonText(why))}`,
      );
      if (String(listed) === String(expected)) continue;
      t.fail(
        `CONNECTIVITY_SEED=${seed + at}: ${JSON.stringify(flow)} is ${expected}, listed: ${JSON.stringify(found)}`,
      );
      return;
    }
  }
  for (const verdict of ['allowed', 'undeclared', 'denied', 'unknown']) t.ok((counts.get(verdict) ?? 0) > 100, verdict);
});

t.test(`${clusters} changes of policies and pods: exactly the connections that change are listed`, async (t) => {
  const counts = new Map<string, number>();
  for (let at = 0; at < clusters; at++) {
    const chance = new Chance(seed + at);
    const before = clusterBy(chance);
    const kept = before.policies.filter(() => !chance.once(2));
    const added = chance.once(3) ? [] : clusterBy(chance).policies.slice(0, 2);
    const gone = chance.once(3) ? chance.one(before.endpoints) : undefined;
    const endpoints = before.endpoints.filter((one) => one !== gone);
    const after = { ...before, endpoints, policies: [...kept, ...added] };
    const lines = [...difference(before, after, before.options, everything)];
    for (let asked = 0; asked < questionsEach; asked++) {
      const flow = randomFlow(chance, before.parties);
      if (flow === undefined || !isOfFamily(flow)) continue;
      const isGone = [flow.initiator, flow.responder].some((party) => isIn(gone, party));
      const [was, is] = [verdictOf(flow, before).verdict, isGone ? 'absent' : verdictOf(flow, after).verdict];
      const expected = changeOf(was, is);
      counts.set(expected ?? 'none', (counts.get(expected ?? 'none') ?? 0) + 1);
      const found = lines.filter((line) => coversFlow(line, flow, before.endpoints));
      if (String(found.map(({ entry: listed }) => listed.change)) === String(expected === undefined ? [] : [expected]))
        continue;
      const what = `${JSON.stringify(flow)} was ${was}, is ${is}, listed: ${JSON.stringify(found)}`;
      t.fail(`CONNECTIVITY_SEED=${seed + at}: ${what}`);
      return;
    }
  }
  for (const change of [...changeKinds, 'none']) t.ok((counts.get(change) ?? 0) > 30, change);
});

function isIn(endpoint: DeclaredEndpoint | undefined, party: Party): boolean {
  if (endpoint === undefined) return false;
  if (endpoint.kind === 'node') return endpoint.parties.includes(party);
  return endpoint.pods.some((pod) => pod.party === party);
}

function changeOf(was: string, is: string): ChangeKind | undefined {
  if (was === is) return undefined;
  if (was === 'unknown' || is === 'unknown') return 'uncertain';
  const [passed, passes] = [was, is].map((one) => one === 'allowed' || one === 'undeclared');
  if (passed && passes) return is === 'allowed' ? 'declared' : 'undeclared';
  if (!passed && !passes) return undefined;
  return passes ? 'opened' : 'closed';
}

/** Removes the owner of the node: the reason names the representative of a class. */
function bare(reason: string): string {
  return reason.replace(/the node of \S+/, 'the node');
}
