// Compares the lint rule `shadowed` with the policy engine: with random policies, a shadowed rule never decides.
import fc from 'fast-check';
import t from 'tap';
import { parseObject } from '../../cluster/parse/parse.ts';
import { DeclaredObjects } from '../../lint/declared-objects.ts';
import { lint } from '../../lint/lint.ts';
import { shadowed } from '../../lint/rules/shadowed.ts';
import { isIpv6 } from '../../model/address.ts';
import type { ClusterObject, Labels, Policy } from '../../model/kubernetes.ts';
import { isPolicy } from '../../model/kubernetes.ts';
import { TCP, UDP } from '../../model/protocol.ts';
import type { Flow, Party } from '../../model/verdict.ts';
import { judge } from '../../policy/judge.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import { compilePolicies } from '../../policy/policy-set.ts';
import { ip } from '../scene/records.ts';

const nameLabel = 'kubernetes.io/metadata.name';
const values = ['x', 'y'];

/** Few keys and values, so one selector is often within another. */
const requirement = fc.oneof(
  fc.record({
    key: fc.constantFrom('app', 'tier'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 }),
  }),
  fc.record({ key: fc.constantFrom('app', 'tier'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);
const selector = fc.oneof(
  fc.constant({}),
  fc.array(requirement, { minLength: 1, maxLength: 2 }).map((list) => ({ matchExpressions: list })),
);
const namespaceSelector = fc.oneof(
  selector,
  fc.constantFrom('a', 'b').map((name) => ({ matchLabels: { [nameLabel]: name } })),
);
const whom = fc.oneof(
  namespaceSelector.map((namespaces) => ({ namespaces })),
  fc.record({ pods: fc.record({ namespaceSelector, podSelector: selector }) }),
);
const networks = fc
  .subarray(['0.0.0.0/0', '::/0', '10.0.0.0/8', '10.0.0.0/25', '192.0.2.0/24', '2001:db8::/32'], { minLength: 1 })
  .map((list) => ({ networks: list }));
const nodes = selector.map((one) => ({ nodes: one }));
const domainNames = fc
  .subarray(['*.example.com', 'a.example.com', '*.a.example.com', 'example.com'], { minLength: 1 })
  .map((list) => ({ domainNames: list }));

const number = fc.constantFrom(80, 81, 443);
const destinationPort = fc.oneof(
  number.map((one) => ({ number: one })),
  fc.constantFrom({ range: { start: 80, end: 81 } }, { range: { start: 82, end: 443 } }),
);
const everyPort = { destinationPort: { range: { start: 1, end: 65535 } } };
const protocol = fc.oneof(
  destinationPort.map((port) => ({ tcp: { destinationPort: port } })),
  fc.constantFrom({ tcp: everyPort }, { udp: everyPort }, { destinationNamedPort: 'web' }),
);
const protocols = fc.option(fc.array(protocol, { minLength: 1, maxLength: 2 }), { nil: undefined });
const action = fc.constantFrom('Accept', 'Accept', 'Deny', 'Deny', 'Pass');
const unknownPeer = fc.constant({ identities: {} });
const from = fc.oneof({ weight: 12, arbitrary: whom }, { weight: 1, arbitrary: unknownPeer });
const to = fc.oneof(
  { weight: 3, arbitrary: whom },
  { weight: 3, arbitrary: networks },
  { weight: 1, arbitrary: nodes },
  { weight: 1, arbitrary: domainNames },
);
const some = <Item>(item: fc.Arbitrary<Item>) => fc.array(item, { minLength: 1, maxLength: 2 });
const clusterSpec = fc.record({
  tier: fc.constantFrom('Admin', 'Baseline'),
  priority: fc.constantFrom(1, 2, 3),
  subject: whom,
  ingress: fc.array(fc.record({ action, from: some(from), protocols }), { maxLength: 3 }),
  egress: fc.array(fc.record({ action, to: some(to), protocols }), { maxLength: 3 }),
});

const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector }),
  fc.constantFrom(
    { ipBlock: { cidr: '0.0.0.0/0' } },
    { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/25'] } },
    { ipBlock: { cidr: '10.0.0.0/25' } },
  ),
);
const ports = fc.option(
  fc.array(fc.constantFrom({ port: 80 }, { port: 80, endPort: 443 }, { port: 'web' }, { protocol: 'UDP' }, {}), {
    minLength: 1,
    maxLength: 2,
  }),
  { nil: undefined },
);
const peers = fc.option(some(peer), { nil: undefined });
const networkSpec = fc.record({
  podSelector: selector,
  policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
  ingress: fc.array(fc.record({ from: peers, ports }), { maxLength: 2 }),
  egress: fc.array(fc.record({ to: peers, ports }), { maxLength: 2 }),
});

const policies: fc.Arbitrary<Policy[]> = fc
  .tuple(
    fc.array(clusterSpec, { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(fc.constantFrom('a', 'b'), networkSpec), { maxLength: 3 }),
  )
  .map(([ofCluster, ofNamespaces]) => [
    ...ofCluster.map((spec, at) =>
      parsed('policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy', { name: `c${at}` }, spec),
    ),
    ...ofNamespaces.map(([namespace, spec], at) =>
      parsed('networking.k8s.io/v1', 'NetworkPolicy', { namespace, name: `n${at}` }, spec),
    ),
  ]);

function parsed(apiVersion: string, kind: string, metadata: object, spec: object): Policy {
  const read = parseObject(JSON.parse(JSON.stringify({ apiVersion, kind, metadata, spec })));
  if (read.is !== 'object' || !isPolicy(read.object)) throw new Error('no policy');
  return read.object;
}

const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom(...values), { noNullPrototype: true });
const pod = (namespaces: Readonly<Record<string, Labels>>): fc.Arbitrary<Party> =>
  fc
    .record({
      namespace: fc.constantFrom('a', 'b'),
      name: fc.constantFrom('p', 'q', 'r'),
      labels,
      ips: fc.subarray(['10.0.0.1', '10.0.0.130', '192.0.2.7', '2001:db8::1'], { minLength: 0, maxLength: 2 }),
      named: fc.constantFrom(80, 443),
    })
    .map(({ ips, named, ...one }) => ({
      kind: 'pod' as const,
      ...one,
      namespaceLabels: namespaces[one.namespace]!,
      addresses: ips.map(ip),
      node: 'n1',
      ports: [{ name: 'web', port: named, protocol: TCP }],
    }));
const address: fc.Arbitrary<Party> = fc
  .record({
    address: fc.constantFrom('10.0.0.1', '192.0.2.7', '203.0.113.1', '2001:db8::1', '2001:db9::1').map(ip),
    names: fc.option(fc.subarray(['a.example.com', 'b.a.example.com', 'example.com']), { nil: undefined }),
    nodeLabels: fc.option(labels, { nil: undefined }),
  })
  .map(({ address: at, names, nodeLabels }) => ({
    kind: 'address' as const,
    address: at,
    ...(names !== undefined && { names }),
    ...(nodeLabels !== undefined && { node: 'n2', nodeLabels }),
  }));
const someNode: fc.Arbitrary<Party> = fc.constant({ kind: 'some-node', namespace: 'ops', name: 'exporter' });

/** Namespace b has no manifest, so it may have any labels. */
const scene = fc.tuple(labels, labels).chain(([ofA, ofB]) => {
  const namespaces = { a: { ...ofA, [nameLabel]: 'a' }, b: { ...ofB, [nameLabel]: 'b' } };
  const end = fc.oneof(
    { weight: 4, arbitrary: pod(namespaces) },
    { weight: 2, arbitrary: address },
    { weight: 1, arbitrary: someNode },
  );
  const what = fc.oneof(
    fc.record({ protocol: fc.constantFrom(TCP, TCP, UDP), port: number }),
    fc.constant({ protocol: 1 }),
  );
  const flow = fc.tuple(end, end, what).map(([initiator, responder, rest]) => ({ initiator, responder, ...rest }));
  const objects: ClusterObject[] = [{ kind: 'Namespace', namespace: '', name: 'a', uid: 'a', labels: namespaces.a }];
  return fc.record({
    objects: fc.constant(objects),
    policies,
    flows: fc.array(flow.filter(canConnect), { minLength: 20, maxLength: 20 }),
  });
});

/** Two ends without a common family cannot connect. */
function canConnect({ initiator, responder }: Flow): boolean {
  const [one, other] = [familiesOf(initiator), familiesOf(responder)];
  return one.some((family) => other.includes(family));
}

function familiesOf(party: Party): boolean[] {
  const addresses = party.kind === 'pod' ? party.addresses : party.kind === 'address' ? [party.address] : [];
  return addresses.length === 0 ? [false, true] : addresses.map(isIpv6);
}

t.test('a rule that is reported as shadowed never decides a flow', async (t) => {
  let reported = 0;
  let decided = 0;
  fc.assert(
    fc.property(scene, ({ objects, policies: all, flows }) => {
      const complaints = lint(new DeclaredObjects([...objects, ...all]), [shadowed]);
      reported += complaints.length;
      const rules = complaints.map(({ object, path }) => `${object.kind} ${object.name} ${path[1]} ${path[2]}`);
      const set = compilePolicies(all);
      for (const flow of flows) {
        for (const side of judge(flow, set, defaultPolicyOptions).sides) {
          if (!('decidedBy' in side) || side.decidedBy.tier === 'always') continue;
          const { policy, rule } = side.decidedBy;
          decided += 1;
          if (rules.includes(`${policy.kind} ${policy.name} ${side.side} ${rule}`)) return false;
        }
      }
      return true;
    }),
    { numRuns: 5_000 },
  );
  t.ok(reported > 500 && decided > 5_000, `${reported} rules were reported, and rules decided ${decided} sides`);
});
