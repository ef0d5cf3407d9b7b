// The engine against the oracle, over random small clusters.
import fc from 'fast-check';
import t from 'tap';
import { parseProtocol } from '../../model/protocol.ts';
import type { Party, Verdict } from '../../model/verdict.ts';
import { judge } from '../../policy/judge.ts';
import { compilePolicies } from '../../policy/policy-set.ts';
import { policy } from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';
import { oracle, type RawEnd, type RawPolicy, type RawQuestion, type RawSelector } from './oracle.ts';

const namespaces = ['a', 'b'];
const values = ['x', 'y'];
const ips = ['10.0.0.1', '10.0.0.130', '10.0.1.1', '192.0.2.1', '203.0.113.7', '2001:db8::1', '2001:db8:1::1'];
const nodes = ['n1', 'n2'];
const portNumbers = [80, 81, 443];
const protocols = ['TCP', 'UDP', 'SCTP'];

const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom(...values), {
  maxKeys: 2,
  noNullPrototype: true,
});
const requirement = fc.oneof(
  fc.record({
    key: fc.constantFrom('app', 'tier'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 }),
  }),
  fc.record({ key: fc.constantFrom('app', 'tier'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);
const selector: fc.Arbitrary<RawSelector> = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: labels }),
  fc.record({ matchLabels: labels, matchExpressions: fc.array(requirement, { maxLength: 2 }) }),
);
const namespaceSelector: fc.Arbitrary<RawSelector> = fc.oneof(
  selector,
  fc.record({
    matchLabels: fc.record({ 'kubernetes.io/metadata.name': fc.constantFrom(...namespaces) }),
  }),
);

const block: fc.Arbitrary<{ cidr: string; except?: string[] }> = fc.constantFrom(
  { cidr: '0.0.0.0/0' },
  { cidr: '0.0.0.0/0', except: ['10.0.0.0/24'] },
  { cidr: '10.0.0.0/8', except: ['10.0.0.128/25', '10.0.1.0/24'] },
  { cidr: '10.0.0.0/25' },
  { cidr: '10.0.0.0/23' },
  { cidr: '192.0.2.1/32' },
  { cidr: '::/0' },
  { cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] },
  { cidr: '2001:db8::/33' },
);
const peer = fc.oneof(
  fc.record({ ipBlock: block }),
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector }),
  fc.record({ podSelector: selector, namespaceSelector }),
);
const portEntry = fc.oneof(
  fc.record({ protocol: fc.constantFrom(...protocols) }),
  fc.record({ port: fc.constantFrom<number | string>(...portNumbers, 'web', 'other') }),
  fc.record({
    protocol: fc.constantFrom(...protocols),
    port: fc.constantFrom<number | string>(...portNumbers, 'web'),
  }),
  fc.record({ port: fc.constant(80), endPort: fc.constantFrom(80, 81, 443) }),
);
const peers = fc.option(fc.array(peer, { maxLength: 3 }), { nil: undefined });
const entries = fc.option(fc.array(portEntry, { maxLength: 2 }), { nil: undefined });
const ingress = fc.option(fc.array(fc.record({ from: peers, ports: entries }), { maxLength: 3 }), { nil: undefined });
const egress = fc.option(fc.array(fc.record({ to: peers, ports: entries }), { maxLength: 3 }), { nil: undefined });
const types = fc.option(fc.subarray(['Ingress', 'Egress']), { nil: undefined });
const spec = fc.record({ podSelector: selector, policyTypes: types, ingress, egress });

function rawPolicies(faults: fc.Arbitrary<RawPolicy['fault']>): fc.Arbitrary<RawPolicy[]> {
  const one = fc.record({ namespace: fc.constantFrom(...namespaces), spec, fault: faults });
  return fc
    .array(one, { maxLength: 4 })
    .map((list) => list.map(({ fault, ...rest }, index) => ({ ...rest, ...(fault && { fault }), name: `p${index}` })));
}

/** The manifest with what makes it broken in the part that the oracle cannot read. */
function withFault({ spec: sound, fault }: RawPolicy): object {
  switch (fault) {
    case undefined:
      return sound;
    case 'rule':
      return { ...sound, ingress: [...(sound.ingress ?? []), { from: [{ ipBlock: { cidr: '10.0.0.0/99' } }] }] };
    case 'podSelector':
      return { ...sound, podSelector: { matchExpressions: [{ key: 'app', operator: 'Near', values: ['x'] }] } };
    case 'policyTypes':
      return { ...sound, policyTypes: ['Sideways'] };
  }
}

const named = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('web', 'other'),
    protocol: fc.constantFrom(...protocols),
    port: fc.constantFrom(...portNumbers),
  }),
  { maxLength: 3, selector: (one) => `${one.name}/${one.protocol}` },
);

function podEnd(addresses: fc.Arbitrary<string[]>, node: fc.Arbitrary<string>): fc.Arbitrary<RawEnd> {
  return fc
    .record({
      namespace: fc.constantFrom(...namespaces),
      name: fc.constantFrom('p', 'q'),
      labels,
      ips: addresses,
      node,
      ports: named,
    })
    .chain((pod) =>
      fc.record({ team: fc.constantFrom(...values), template: fc.boolean() }).map(({ team, template }) => ({
        is: 'pod' as const,
        ...pod,
        namespaceLabels: { app: team, 'kubernetes.io/metadata.name': pod.namespace },
        template: template && pod.ips.length === 0,
      })),
    );
}
const placedPod = podEnd(
  fc.uniqueArray(fc.constantFrom(...ips), { minLength: 1, maxLength: 2 }),
  fc.constantFrom(...nodes),
);
const unplacedPod = podEnd(fc.constant([]), fc.constant(''));
const addressEnd: fc.Arbitrary<RawEnd> = fc.record({
  is: fc.constant('address' as const),
  ip: fc.constantFrom(...ips),
  node: fc.constantFrom('', ...nodes),
});
const someNode: fc.Arbitrary<RawEnd> = fc.constant({ is: 'some-node' as const });

function question(end: fc.Arbitrary<RawEnd>): fc.Arbitrary<RawQuestion> {
  const withPort = fc.record({ protocol: fc.constantFrom(...protocols), port: fc.constantFrom(...portNumbers) });
  const without = fc.record({ protocol: fc.constantFrom('ICMP', '47'), port: fc.constant(undefined) });
  const what = fc.oneof({ weight: 5, arbitrary: withPort }, { weight: 1, arbitrary: without });
  return fc.record({ from: end, to: end, what }).map(({ from, to, what: asked }) => ({ from, to, ...asked }));
}

const options = fc.record({
  ipBlockMatchesPods: fc.boolean(),
  declaredBy: fc.constantFrom('any' as const, 'every' as const),
});

function partyOf(end: RawEnd): Party {
  switch (end.is) {
    case 'address':
      return { kind: 'address', address: ip(end.ip), ...(end.node !== '' && { node: end.node }) };
    case 'some-node':
      return { kind: 'some-node', namespace: 'ops', name: 'exporter' };
    case 'pod': {
      const { namespace, name, namespaceLabels, node, template } = end;
      const ports = end.ports.map((one) => ({ ...one, protocol: parseProtocol(one.protocol)! }));
      const addresses = end.ips.map(ip);
      const who = { namespace, name, labels: end.labels, namespaceLabels };
      return { kind: 'pod', ...who, addresses, node, ports, ...(template && { ofWorkload: true as const }) };
    }
  }
}

function engine(asked: RawQuestion, policies: RawPolicy[], chosen: Parameters<typeof oracle>[2]): Verdict {
  const parsed = policies.map((one) => policy(`${one.namespace}/${one.name}`, withFault(one)));
  const crossing = {
    initiator: partyOf(asked.from),
    responder: partyOf(asked.to),
    protocol: parseProtocol(asked.protocol)!,
    ...(asked.port !== undefined && { port: asked.port }),
  };
  return judge(crossing, compilePolicies(parsed), chosen);
}

const sound = rawPolicies(fc.constant(undefined));
const faulty = rawPolicies(fc.constantFrom(undefined, undefined, 'rule', 'podSelector', 'policyTypes'));
const placed = fc.oneof({ weight: 4, arbitrary: placedPod }, { weight: 1, arbitrary: addressEnd });
const anyEnd = fc.oneof(
  { weight: 3, arbitrary: placedPod },
  { weight: 3, arbitrary: unplacedPod },
  { weight: 1, arbitrary: addressEnd },
  { weight: 1, arbitrary: someNode },
);

t.test('engine and oracle agree on each side and on the whole, broken policies and all', async (t) => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(question(placed), fc.oneof(sound, faulty), options, (asked, policies, chosen) => {
      const verdict = engine(asked, policies, chosen);
      const expected = oracle(asked, policies, chosen);
      seen.add(expected.all);
      const sides = verdict.sides.map((side) => side.verdict);
      return verdict.verdict === expected.all && String(sides) === String(expected.sides);
    }),
    { numRuns: 20_000 },
  );
  t.same([...seen].sort(), ['allowed', 'denied', 'undeclared', 'unknown'], 'every verdict came up');
});

const doubts: readonly string[] = ['address-not-known', 'broken-policy'];

t.test('where an end has no address or node, whatever the engine says holds in every world that may be', async (t) => {
  let known = 0;
  let unknown = 0;
  fc.assert(
    fc.property(question(anyEnd), fc.oneof(sound, faulty), options, (asked, policies, chosen) => {
      const verdict = engine(asked, policies, chosen);
      const { sides } = oracle(asked, policies, chosen);
      return verdict.sides.every((side, index) => {
        if (side.verdict !== 'unknown') known += 1;
        else unknown += 1;
        if (side.verdict === sides[index]) return true;
        // Several blocks may hold every address together; the engine asks each by itself, and doubts.
        const other = side.side === 'egress' ? asked.to : asked.from;
        const isUnplaced = other.is === 'some-node' || (other.is === 'pod' && other.ips.length === 0);
        return isUnplaced && side.verdict === 'unknown' && doubts.includes(side.why.reason);
      });
    }),
    { numRuns: 10_000 },
  );
  t.ok(known > 0 && unknown > 0, 'both came up');
});
