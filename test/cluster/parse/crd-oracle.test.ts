// Every change of some policies is accepted or refused as the schema of the CRD accepts or refuses it.
import t from 'tap';
import { parseObject } from '../../../cluster/parse/parse.ts';
import { type Raw, raw } from '../../scene/objects.ts';
import { type CrdSchema, crdSchema } from './crds/crd-schema.ts';
import { mutationsOf } from './crds/mutations.ts';
import { networkPolicySchema } from './crds/network-policy-schema.ts';

const app = { matchLabels: { app: 'web' } };
const expressions = { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] };
const pods = { namespaceSelector: app, podSelector: expressions };

const v1alpha1 = (action: string) => ({
  subject: { pods },
  ingress: [
    {
      name: 'first',
      action,
      from: [{ namespaces: app }, { pods }],
      ports: [
        { portNumber: { protocol: 'UDP', port: 53 } },
        { namedPort: 'http' },
        { portRange: { start: 1, end: 2, protocol: 'TCP' } },
      ],
    },
  ],
  egress: [
    {
      action,
      to: [{ nodes: expressions }, { networks: ['10.0.0.0/8', 'fd00::/8'] }],
      ports: [{ portNumber: { protocol: 'TCP', port: 1 } }],
    },
    { action, to: [{ pods }], ports: [{ namedPort: 'sql' }] },
  ],
});

const policies: readonly { policy: Raw; schema: CrdSchema }[] = [
  {
    policy: raw('ClusterNetworkPolicy', 'guard', {
      spec: {
        tier: 'Admin',
        priority: 10,
        subject: { namespaces: app },
        ingress: [
          {
            name: 'first',
            action: 'Deny',
            from: [{ namespaces: {} }, { pods: { podSelector: expressions } }],
            protocols: [
              { tcp: { destinationPort: { number: 80 } } },
              { udp: { destinationPort: { range: { start: 1, end: 2 } } } },
              { destinationNamedPort: 'http' },
            ],
          },
        ],
        egress: [
          { action: 'Accept', to: [{ networks: ['10.0.0.0/8'] }, { nodes: app }, { domainNames: ['*.example.com'] }] },
          { action: 'Pass', to: [{ pods }], protocols: [{ sctp: { destinationPort: { number: 1 } } }] },
        ],
      },
    }),
    schema: crdSchema('clusternetworkpolicy.v1alpha2.yaml'),
  },
  {
    policy: raw('AdminNetworkPolicy', 'guard', { spec: { priority: 10, ...v1alpha1('Allow') } }),
    schema: crdSchema('adminnetworkpolicy.v1alpha1.yaml'),
  },
  {
    policy: raw('BaselineAdminNetworkPolicy', 'default', { spec: v1alpha1('Deny') }),
    schema: crdSchema('baselineadminnetworkpolicy.v1alpha1.yaml'),
  },
  {
    policy: raw('NetworkPolicy', 'shop/web', {
      spec: {
        podSelector: app,
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          {
            from: [{ podSelector: expressions }, { namespaceSelector: app, podSelector: {} }],
            ports: [{ port: 80 }, { protocol: 'UDP', port: 'dns' }, { protocol: 'TCP', port: 1000, endPort: 1001 }],
          },
        ],
        egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }, {}],
      },
    }),
    schema: networkPolicySchema,
  },
];

/**
 * What the CRDs take and leave open. No pod can have a label that a selector with such a text names, and clients differ in
 * what they do with it. domainNames are meant for Accept only.
 */
const openCodes: ReadonlySet<string> = new Set([
  'names-need-accept',
  'bad-label-key',
  'bad-label-value',
  'unknown-operator',
  'operator-needs-values',
  'operator-takes-no-values',
]);

/**
 * `open`: the API accepts it and leaves open what it means, so the verdicts that depend on it are unknown. `fails-closed`:
 * rule 26 reads what a newer version may accept.
 */
function reading(object: unknown, kind: string): 'accepted' | 'refused' | 'open' | 'fails-closed' {
  const parsed = parseObject(object);
  if (parsed.is !== 'object') return 'refused';
  const isCrd = kind !== 'NetworkPolicy';
  if (parsed.problems.length > 0)
    return isCrd && parsed.problems.every(({ code }) => openCodes.has(code)) ? 'open' : 'refused';
  const text = JSON.stringify(parsed.object);
  if (text.includes('"notUnderstood"')) return 'fails-closed';
  return text.includes('"undefinedPorts"') ? 'open' : 'accepted';
}

/** Until 0.1.5, the CRDs of v1alpha1 accepted an empty list of ports. The one of v1alpha2 calls them protocols. */
const onlyOfLaterVersions = /\/ports minItems$/;

for (const { policy, schema } of policies) {
  const { kind } = policy;
  t.test(`${kind}: each change is refused if and only if its API refuses it`, async (t) => {
    t.same(schema(policy), []);
    t.equal(reading(policy, kind), 'accepted');
    const counts = { accepted: 0, refused: 0, open: 0, 'fails-closed': 0 };
    const differences: string[] = [];
    for (const { name, object } of [...mutationsOf(policy, ['spec']), ...mutationsOf(policy, ['metadata', 'name'])]) {
      const faults = schema(object).filter((fault) => !onlyOfLaterVersions.test(fault));
      const read = reading(object, kind);
      counts[read] += 1;
      if (read === 'fails-closed') continue;
      if (faults.length > 0 !== (read === 'refused')) differences.push(`${name}: ${read}; ${faults.join(', ')}`);
    }
    t.same(differences, []);
    t.ok(counts.accepted >= 100 && counts.refused >= 300, JSON.stringify(counts));
  });
}
