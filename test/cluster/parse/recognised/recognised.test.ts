// Policies of other APIs as objects: faults in them are never problems.
import t from 'tap';
import { expandList } from '../../../../cluster/parse/list.ts';
import { parseObject } from '../../../../cluster/parse/parse.ts';
import { isRecognised } from '../../../../model/kubernetes.ts';
import { recognisedKinds } from '../../../../model/recognised-policy.ts';
import { objectOfText, objectText } from '../../../../model/stored-object.ts';
import { rawRecognised, recognised } from '../../../scene/recognised.ts';

const strange = [undefined, null, 7, 'text', [], [null], {}, { a: { b: [] } }, true];

t.test('no spec and no rule of any form is a problem, or throws', async (t) => {
  for (const kind of recognisedKinds) {
    for (const value of strange) {
      const specs = [
        value,
        ...['endpointSelector', 'selector', 'namespaceSelector', 'appliedTo', 'ingress', 'egress', 'types'].map(
          (name) => ({
            [name]: value,
          }),
        ),
        {
          endpointSelector: { matchLabels: value, matchExpressions: value },
          ingress: [value],
          egress: [{ action: value }],
        },
        { appliedTo: [{ podSelector: value }], ingress: [{ action: 'Drop', appliedTo: value }], types: [value] },
      ];
      for (const spec of specs) {
        const parsed = parseObject(rawRecognised(kind, 'shop/one', spec, { specs: value, status: value }));
        t.ok(parsed.is === 'object' && isRecognised(parsed.object) && parsed.problems.length === 0);
      }
    }
  }
});

t.test('metadata of any form is no problem, and a policy without a name has its place as a name', async (t) => {
  for (const metadata of strange) {
    const parsed = parseObject(
      { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata },
      () => 'db.yaml:3',
    );
    t.match(parsed, { is: 'object', problems: [], object: { name: '(no name, db.yaml:3)', namespace: 'default' } });
  }
});

t.test('any version of the group is the same kind, and another group is another kind', async (t) => {
  const raw = { kind: 'NetworkPolicy', metadata: { name: 'db', namespace: 'shop' }, spec: {} };
  t.match(parseObject({ ...raw, apiVersion: 'crd.antrea.io/v1alpha1' }), {
    object: { kind: 'NetworkPolicy.crd.antrea.io' },
  });
  t.match(parseObject({ ...raw, apiVersion: 'projectcalico.org/v3' }), {
    object: { kind: 'NetworkPolicy.projectcalico.org' },
  });
  t.match(parseObject({ ...raw, apiVersion: 'cilium.io/v2' }), { object: { kind: 'NetworkPolicy.cilium.io' } });
});

t.test('a kind of any other API is recognised by its name', async (t) => {
  const metadata = { name: 'db', namespace: 'shop' };
  for (const kind of ['AcmeNetworkPolicy', 'NetworkPolicy', 'HostEgressFirewall', 'IngressNodeFirewall']) {
    const parsed = parseObject({ apiVersion: 'acme.example/v1', kind, metadata, spec: 7 });
    t.match(parsed, { problems: [], object: { kind: `${kind}.acme.example`, name: 'db', namespace: 'shop' } }, kind);
    const inCluster = parseObject({ apiVersion: 'acme.example/v1', kind, metadata: { name: 'db' } });
    t.match(inCluster, { object: { namespace: '', everywhere: true } }, kind);
  }
  for (const kind of ['FirewallPolicy', 'NetworkPolicyReport', 'Policy', 'networkpolicy', 'Acme.NetworkPolicy']) {
    t.equal(parseObject({ apiVersion: 'acme.example/v1', kind, metadata, spec: {} }).is, 'not-ours', kind);
  }
  t.equal(parseObject({ apiVersion: 'v1', kind: 'AcmeNetworkPolicy', metadata }).is, 'not-ours', 'no API group');
  t.equal(parseObject({ apiVersion: 7, kind: 'AcmeNetworkPolicy', metadata }).is, 'not-ours', 'no API version');
});

t.test('items of a typed list are read', async (t) => {
  const list = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicyList',
    items: [
      { metadata: { name: 'a' }, spec: {} },
      { metadata: { name: 'b' }, spec: {} },
    ],
  };
  const names = [...expandList(list)].map(({ raw }) => {
    const parsed = parseObject(raw);
    return parsed.is === 'object' && `${parsed.object.kind} ${parsed.object.name}`;
  });
  t.same(names, ['GlobalNetworkPolicy.projectcalico.org a', 'GlobalNetworkPolicy.projectcalico.org b']);
});

t.test('the stored form of a policy equals the policy', async (t) => {
  const selector = "app == 'web' && !(tier in {'a', 'b'}) || name starts with 'x'";
  const policy = recognised('NetworkPolicy.projectcalico.org', 'shop/a', { selector, types: ['Ingress'] });
  t.strictSame(objectOfText(objectText(policy)), policy);
});
