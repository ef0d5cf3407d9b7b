import t from 'tap';
import { PartyResolver } from '../../cli/verdict-parties.ts';
import { evaluateQuestion, readQuestion } from '../../cli/verdict-question.ts';
import { parseManifest } from '../../cluster/manifests/manifest.ts';
import type { Party, Verdict } from '../../model/verdict.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';

function parties(...documents: string[]): PartyResolver {
  const { entries, problems } = parseManifest(documents.join('\n---\n'), 'scene.yaml');
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.fault).join());
  return new PartyResolver(entries.map((entry) => entry.object));
}

function podAt(name: string, status: string, spec = 'nodeName: n1'): string {
  const meta = `{ name: ${name}, namespace: shop, labels: { app: ${name} } }`;
  return `{ apiVersion: v1, kind: Pod, metadata: ${meta}, spec: { ${spec}, containers: [{ name: c }] }, status: { ${status} } }`;
}

function service(...addresses: string[]): string[] {
  const endpoints = addresses.map((address) => `{ addresses: [${address}] }`).join();
  return [
    '{ apiVersion: v1, kind: Service, metadata: { name: api, namespace: shop }, spec: { clusterIP: 10.96.0.1, ports: [{ port: 80 }] } }',
    `{ apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: { name: api-1, namespace: shop, labels: { kubernetes.io/service-name: api } }, endpoints: [${endpoints}], ports: [{ port: 8080 }] }`,
  ];
}

const onlyDb =
  '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: db, namespace: shop }, spec: { podSelector: { matchLabels: { app: db } } } }';

function partyOf(scene: PartyResolver, text: string): Party {
  const found = scene.resolve(text);
  if (found.kind !== 'one') throw new Error(`${text} is ${found.kind}`);
  return found.candidate.parties[0]!;
}

function ask(scene: PartyResolver, from: string, to: string, port: number): Verdict {
  const read = readQuestion({ from, to, port });
  const reply = 'fault' in read ? read : evaluateQuestion(read.question, scene, defaultPolicyOptions);
  if ('fault' in reply) throw new Error(reply.fault.fault);
  return reply.verdict;
}

t.test('rule 13: a host-network pod is its node’s address, by name and by address', async (t) => {
  const scene = parties(podAt('proxy', 'podIP: 192.0.2.1', 'nodeName: n1, hostNetwork: true'));
  const node = { kind: 'address', address: '192.0.2.1', node: 'n1', nodeLabels: {}, nodeLabelsKnown: false };
  t.same(partyOf(scene, 'shop/proxy'), node);
  t.same(partyOf(scene, '192.0.2.1'), node);
});

t.test(
  'rule 13: a host-network pod without an address has the address of its node, if the node is known',
  async (t) => {
    const node =
      '{ apiVersion: v1, kind: Node, metadata: { name: n1 }, status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] } }';
    const proxy = podAt('proxy', '', 'nodeName: n1, hostNetwork: true');
    t.same(partyOf(parties(node, proxy), 'shop/proxy'), {
      kind: 'address',
      address: '192.0.2.1',
      node: 'n1',
      nodeLabels: {},
    });
    t.same(partyOf(parties(proxy), 'shop/proxy'), { kind: 'some-node', namespace: 'shop', name: 'proxy' });
  },
);

t.test('rule 13: a host-network pod with both families is evaluated by the family of the other end', async (t) => {
  const proxy = podAt('proxy', 'podIPs: [{ ip: 192.0.2.1 }, { ip: "fd00::1" }]', 'nodeName: n1, hostNetwork: true');
  const web = (...ips: string[]) => podAt('web', `podIPs: [${ips.map((ip) => `{ ip: "${ip}" }`)}]`, 'nodeName: n2');
  const fromIpv6 =
    '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: web, namespace: shop }, spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "fd00::/64" } }] }] } }';
  const asked = (...ips: string[]) => ask(parties(proxy, web(...ips), fromIpv6), 'shop/proxy', 'shop/web', 80);
  t.equal(asked('fd01::5').verdict, 'allowed');
  t.equal(asked('10.0.0.5').verdict, 'denied');
  t.match(asked('10.0.0.5', 'fd01::5'), {
    verdict: 'unknown',
    why: { reason: 'addresses-differ', party: 'shop/proxy' },
  });
  const template =
    '{ apiVersion: apps/v1, kind: DaemonSet, metadata: { name: proxy, namespace: shop }, spec: { template: { spec: { hostNetwork: true } } } }';
  t.same(parties(template).declaredEndpoints(), [
    {
      ...{ kind: 'workload', namespace: 'shop', workload: { kind: 'DaemonSet', name: 'proxy' } },
      pods: [{ name: 'DaemonSet/proxy', party: { kind: 'some-node', namespace: 'shop', name: 'DaemonSet/proxy' } }],
    },
  ]);
});

t.test('rule 14: a Service address gets the verdict that all ready endpoints share', async (t) => {
  const pods = [podAt('db', 'podIP: 10.0.0.1'), podAt('web', 'podIP: 10.0.0.2'), podAt('cron', 'podIP: 10.0.0.3')];
  const agree = parties(...pods, ...service('10.0.0.2', '10.0.0.3'), onlyDb);
  t.equal(ask(agree, '203.0.113.7', '10.96.0.1', 80).verdict, 'undeclared');
  const differ = parties(...pods, ...service('10.0.0.1', '10.0.0.2'), onlyDb);
  const why = { reason: 'backend-not-known', service: 'shop/api' };
  t.match(ask(differ, '203.0.113.7', '10.96.0.1', 80), {
    verdict: 'unknown',
    sides: [{ verdict: 'unknown', why }],
    why,
  });
  t.equal(ask(parties(...pods, ...service()), '203.0.113.7', '10.96.0.1', 80).verdict, 'unknown', 'no endpoint');
});

t.test(
  'rule 14: an endpoint that cannot be identified makes the verdict unknown, whatever the others get',
  async (t) => {
    const pods = [podAt('web', 'podIP: 10.0.0.1'), podAt('old', 'podIP: 10.0.0.1'), podAt('cron', 'podIP: 10.0.0.3')];
    const [api, slice] = service('10.0.0.1', '10.0.0.3') as [string, string];
    const asked = (...more: string[]) => ask(parties(...pods, api, ...more), '203.0.113.7', '10.96.0.1', 80);
    const unknown = { verdict: 'unknown', why: { reason: 'backend-not-known' } };
    t.match(asked(slice), unknown, 'two pods have its address');
    const withTargetRef = (pod: string) =>
      slice.replace('10.0.0.1]', `10.0.0.1], targetRef: { kind: Pod, name: ${pod} }`);
    t.equal(asked(withTargetRef('web')).verdict, 'undeclared', 'the slice says which of them');
    t.match(asked(withTargetRef('gone')), unknown, 'the pod that the slice names is missing');
    t.match(asked(withTargetRef('cron')), unknown, 'the pod that the slice names has another address');
    const broken = slice.replace('10.0.0.1', '10.0.0.300');
    const { entries } = parseManifest([...pods, api, broken].join('\n---\n'), 'scene.yaml');
    const scene = new PartyResolver(entries.map(({ object }) => object));
    t.match(ask(scene, '203.0.113.7', '10.96.0.1', 80), unknown, 'an address is invalid');
  },
);

t.test('rule 14: Endpoints with a fault, or without an owner of an address, make the verdict unknown', async (t) => {
  const [api] = service() as [string];
  const endpoints = (...ips: string[]) => {
    const subsets = `[{ addresses: [${ips.map((one) => `{ ip: ${one} }`).join()}], ports: [{ port: 8080 }] }]`;
    return `{ apiVersion: v1, kind: Endpoints, metadata: { name: api, namespace: shop }, subsets: ${subsets} }`;
  };
  const asked = (...ips: string[]) => {
    const { entries } = parseManifest([podAt('web', 'podIP: 10.0.0.1'), api, endpoints(...ips)].join('\n---\n'), 'x');
    const scene = new PartyResolver(entries.map(({ object }) => object));
    return ask(scene, '203.0.113.7', '10.96.0.1', 80);
  };
  t.equal(asked('10.0.0.1').verdict, 'undeclared');
  const unknown = { verdict: 'unknown', why: { reason: 'backend-not-known' } };
  t.match(asked('10.0.0.1', '10.0.0.300'), unknown, 'an address is invalid');
  t.match(asked('10.0.0.300'), unknown, 'no address is valid');
});

t.test('a pod of a Prometheus has its name, and the resource too', async (t) => {
  const prometheus =
    '{ apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: { name: k8s, namespace: mon }, spec: { replicas: 2 } }';
  const scene = parties(prometheus);
  const one = { kind: 'pod', namespace: 'mon', name: 'prometheus-k8s-1', ports: [{ name: 'web' }, {}] };
  t.match(partyOf(scene, 'mon/prometheus-k8s-1'), one);
  for (const text of ['mon/k8s', 'mon/Prometheus/k8s', 'mon/StatefulSet/prometheus-k8s']) {
    const found = scene.resolve(text);
    t.equal(found.kind === 'workload' && found.pods.length, 2, text);
  }
  t.equal(scene.resolve('mon/prometheus-k8s-2').kind, 'fault');
});

t.test('rule 15: a pod that has succeeded or failed no longer owns its address', async (t) => {
  for (const phase of ['Succeeded', 'Failed']) {
    const done = podAt('job', `phase: ${phase}, podIP: 10.0.0.1`);
    t.same(partyOf(parties(done), '10.0.0.1'), { kind: 'address', address: '10.0.0.1' });
    const next = partyOf(parties(done, podAt('web', 'phase: Running, podIP: 10.0.0.1')), '10.0.0.1');
    t.match(next, { kind: 'pod', name: 'web' });
  }
});

t.test(
  'rule 15: each address of podIPs belongs to the pod, and a question with one of them uses only that one',
  async (t) => {
    const scene = parties(podAt('web', 'podIP: 10.0.0.1, podIPs: [{ ip: 10.0.0.1 }, { ip: "2001:db8::1" }]'));
    t.match(partyOf(scene, '2001:DB8:0::1'), { kind: 'pod', name: 'web', addresses: ['2001:db8::1'] });
    t.match(partyOf(scene, 'shop/web'), { addresses: ['10.0.0.1', '2001:db8::1'] });
  },
);

t.test('rule 16: a namespace has its name as a label, also without a manifest', async (t) => {
  const label = { 'kubernetes.io/metadata.name': 'shop' };
  t.match(partyOf(parties(podAt('web', '')), 'shop/web'), { namespaceLabels: label });
  const namespace = '{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { team: a } } }';
  t.match(partyOf(parties(namespace, podAt('web', '')), 'shop/web'), { namespaceLabels: { team: 'a', ...label } });
});

t.test('the labels of a namespace are unknown if its manifest is missing or broken', async (t) => {
  const byTeam =
    '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: db, namespace: data }, spec: { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchExpressions: [{ key: team, operator: NotIn, values: [a] }] } }] }] } }';
  const db = podAt('db', '').replace('namespace: shop', 'namespace: data');
  const asked = (...more: string[]) => ask(parties(db, podAt('web', ''), byTeam, ...more), 'shop/web', 'data/db', 80);
  const why = { reason: 'namespace-labels-not-known', namespace: 'shop' };
  t.match(asked(), { verdict: 'unknown', sides: [{}, { why }] });
  const namespace = (labels: string) =>
    `{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: ${labels} } }`;
  t.equal(asked(namespace('{ team: a }')).verdict, 'denied');
  const broken = namespace('{ team: a, build: 12 }');
  const { entries, problems } = parseManifest([db, podAt('web', ''), byTeam, broken].join('\n---\n'), 'scene.yaml');
  t.equal(problems.length, 1);
  const scene = new PartyResolver(entries.map(({ object }) => object));
  t.match(ask(scene, 'shop/web', 'data/db', 80), { verdict: 'unknown', sides: [{}, { why }] });
});

t.test('the labels of a node are unknown if its manifest is missing or broken', async (t) => {
  const proxy = podAt('proxy', 'podIP: 192.0.2.1', 'nodeName: n1, hostNetwork: true');
  const node = (labels: string) =>
    `{ apiVersion: v1, kind: Node, metadata: { name: n1, labels: ${labels} }, status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] } }`;
  const read = (text: string) =>
    new PartyResolver(parseManifest(text, 'scene.yaml').entries.map(({ object }) => object));
  const open = { nodeLabels: {}, nodeLabelsKnown: false };
  t.match(partyOf(parties(proxy), 'shop/proxy'), open);
  t.match(partyOf(read(node('{ zone: 1 }')), '192.0.2.1'), { node: 'n1', ...open });
  t.same(partyOf(parties(proxy, node('{ zone: a }')), 'shop/proxy'), {
    ...{ kind: 'address', address: '192.0.2.1', node: 'n1' },
    nodeLabels: { zone: 'a' },
  });
});

t.test('a workload is evaluated by its template if none of its pods has an address', async (t) => {
  const deployment =
    '{ apiVersion: apps/v1, kind: Deployment, metadata: { name: db, namespace: shop }, spec: { template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: c }] } } } }';
  const owned = podAt('db-x', 'podIP: 10.0.0.1').replace(
    'labels:',
    'ownerReferences: [{ kind: StatefulSet, name: db, controller: true }], labels:',
  );
  const template = parties(deployment).resolve('shop/db');
  t.match(template, {
    kind: 'workload',
    pods: [{ parties: [{ representsWorkload: true, addresses: [], node: '', labels: { app: 'db' } }] }],
  });
  const pods = parties(owned).resolve('shop/db');
  t.match(pods, {
    kind: 'workload',
    pods: [{ parties: [{ representsWorkload: true, name: 'db-x', addresses: ['10.0.0.1'] }] }],
  });
});

t.test('a workload without a manifest is evaluated by the templates that it owns', async (t) => {
  const replicaSet = (name: string, app: string) =>
    `{ apiVersion: apps/v1, kind: ReplicaSet, metadata: { name: ${name}, namespace: shop, ownerReferences: [{ kind: Deployment, name: web }] }, spec: { template: { metadata: { labels: { app: ${app} } }, spec: { containers: [{ name: c }] } } } }`;
  t.match(parties(replicaSet('web-a', 'web')).resolve('shop/Deployment/web'), {
    kind: 'workload',
    pods: [{ parties: [{ representsWorkload: true, name: 'ReplicaSet/web-a', labels: { app: 'web' } }] }],
  });
  const both = parties(replicaSet('web-a', 'web'), replicaSet('web-b', 'db'), onlyDb);
  for (const own of ['shop/web-b', 'shop/ReplicaSet/web-b']) {
    t.match(ask(both, '192.0.2.9', own, 80), { verdict: 'denied' }, `${own} is one template only`);
  }
  t.match(both.resolve('shop/web'), {
    pods: [{ parties: [{ labels: { app: 'web' } }] }, { parties: [{ labels: { app: 'db' } }] }],
  });
  t.match(ask(both, '192.0.2.9', 'shop/web', 80), { verdict: 'unknown', why: { reason: 'pods-differ' } });
});

t.test('a pod that has ended has no host port: the node port is that of the running pod, or of the node', async (t) => {
  const node =
    '{ apiVersion: v1, kind: Node, metadata: { name: n1 }, status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] } }';
  const withHostPort = (name: string, phase: string, port: number) => {
    const containers = `[{ name: c, ports: [{ containerPort: ${port}, hostPort: 80 }] }]`;
    const meta = `{ name: ${name}, namespace: shop, labels: { app: ${name} } }`;
    return `{ apiVersion: v1, kind: Pod, metadata: ${meta}, spec: { nodeName: n1, containers: ${containers} }, status: { phase: ${phase}, podIP: 10.1.0.${port} } }`;
  };
  const deny = onlyDb.replaceAll('db', 'old');
  const ofPhase = (phase: string, ...more: string[]) =>
    ask(parties(node, deny, withHostPort('old', phase, 8), ...more), '198.51.100.1', '192.0.2.1', 80);
  t.equal(ofPhase('Running').verdict, 'denied');
  for (const phase of ['Succeeded', 'Failed']) {
    t.not(ofPhase(phase).verdict, 'denied', phase);
    const other = ofPhase(phase, withHostPort('web', 'Running', 9));
    t.equal(other.verdict, 'undeclared', phase);
    t.match(other.sides, [{ side: 'ingress' }]);
  }
});

t.test('the zone of a pod in a manifest is not known, unless the API server returned the bound pod', async (t) => {
  const zone = 'topology.kubernetes.io/zone';
  const ofRequirement = (requirement: string) =>
    `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: zone, namespace: shop }, spec: { podSelector: { matchExpressions: [{ key: ${zone}, ${requirement} }] } } }`;
  const inZone = ofRequirement('operator: In, values: [a]');
  const verdictOf = (policy: string, pod: string) => ask(parties(policy, pod), '192.0.2.9', 'shop/web', 80).verdict;
  const plain = podAt('web', 'podIP: 10.1.0.1');
  for (const requirement of [
    'operator: In, values: [a]',
    'operator: NotIn, values: [a]',
    'operator: Exists',
    'operator: DoesNotExist',
  ])
    t.equal(verdictOf(ofRequirement(requirement), plain), 'unknown', requirement);
  t.equal(
    verdictOf(ofRequirement('operator: Exists').replace(zone, 'topology.kubernetes.io/rack'), plain),
    'undeclared',
    'another label',
  );
  const labelled = (value: string) => plain.replace('app: web', `app: web, ${zone}: ${value}`);
  t.equal(verdictOf(inZone, labelled('a')), 'denied');
  t.equal(verdictOf(inZone, labelled('b')), 'undeclared');
  const returned = plain.replace('name: web,', 'name: web, uid: 6f1,');
  t.equal(verdictOf(inZone, returned), 'undeclared');
  t.equal(verdictOf(inZone, returned.replace('nodeName: n1', 'hostname: web')), 'unknown', 'not bound yet');
  const deployment =
    '{ apiVersion: apps/v1, kind: Deployment, metadata: { name: web, namespace: shop }, spec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: c }] } } } }';
  t.equal(verdictOf(inZone, deployment), 'unknown', 'a pod template');
});
