import t from 'tap';
import { parseObject } from '../../../cluster/parse/parse.ts';
import { objectKey } from '../../../model/kubernetes.ts';
import { parsed, problemsOf, raw } from '../../scene/objects.ts';

t.test('names are DNS names in lower case, as for the API server; namespaces and Services have no dots', async (t) => {
  const faults = (kind: 'Pod' | 'Namespace' | 'Service' | 'NetworkPolicy', place: string) =>
    problemsOf(raw(kind, place, { spec: { podSelector: {} } })).filter((line) => line.startsWith('bad-name'));
  const long = (length: number) => 'a'.repeat(length);
  for (const name of ['a', 'a-b.c-1', '1', `${long(63)}.b`, long(253)]) t.same(faults('Pod', `shop/${name}`), [], name);
  for (const name of ['A', 'a_b', 'a-', '-a', 'a..b', '.a', 'a:b', 'é', long(254)]) {
    t.match(faults('Pod', `shop/${name}`), [/use at most 253 lower-case letters, digits, - and ., with/], name);
    t.equal(faults('NetworkPolicy', `shop/${name}`).length, 1, name);
  }
  for (const name of ['a.b', long(64), 'A', 'a_b']) {
    t.match(faults('Namespace', name), [/metadata\.name.*use at most 63 lower-case letters, digits and -, with/], name);
    t.equal(faults('Service', `shop/${name}`).length, 1, name);
    t.match(faults('Pod', `${name}/web`), [/metadata\.namespace/], name);
  }
});

t.test('generateName may end with a hyphen, because the API server adds characters', async (t) => {
  const generated = (generateName: string) =>
    problemsOf({ apiVersion: 'v1', kind: 'Pod', metadata: { generateName }, spec: {} });
  for (const name of ['job-', 'job', 'a.b-']) t.same(generated(name), [], name);
  for (const name of ['-', 'Job-', 'a..']) t.match(generated(name), [/^bad-name: .*metadata\.generateName/], name);
});

t.test('rule 16: a namespace has the label kubernetes.io/metadata.name even if the manifest lacks it', async (t) => {
  t.same(
    { ...parsed('Namespace', raw('Namespace', 'shop', { metadata: { labels: { team: 'a' } } })).labels },
    {
      team: 'a',
      'kubernetes.io/metadata.name': 'shop',
    },
  );
  t.same({ ...parsed('Namespace', raw('Namespace', 'shop')).labels }, { 'kubernetes.io/metadata.name': 'shop' });
});

t.test('a label may have the name of an Object property, such as constructor', async (t) => {
  const labels = JSON.parse('{"constructor": "x", "__proto__": "y"}');
  const { labels: read } = parsed(
    'Namespace',
    raw('Namespace', 'shop', { metadata: { labels: { constructor: 'x' } } }),
  );
  t.equal(read.constructor, 'x');
  t.equal(read.toString, undefined);
  t.equal(problemsOf(raw('Namespace', 'shop', { metadata: { labels } })).length, 1, '__proto__ is not a label key');
});

t.test('a node has its addresses, pod ranges and zone; a host name is not an address', async (t) => {
  const node = parsed(
    'Node',
    raw('Node', 'n1', {
      metadata: { labels: { 'topology.kubernetes.io/zone': 'a' } },
      spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24', 'fd00:1::/64'] },
      status: {
        addresses: [
          { type: 'InternalIP', address: '192.168.0.1' },
          { type: 'ExternalIP', address: '203.0.113.1' },
          { type: 'Hostname', address: 'n1' },
        ],
      },
    }),
  );
  t.same(node.addresses, ['192.168.0.1', '203.0.113.1']);
  t.same(
    node.podPrefixes.map((prefix) => prefix.text),
    ['10.1.0.0/24', 'fd00:1::/64'],
  );
  t.equal(node.zone, 'a');
});

t.test('a service has its cluster, external and load balancer addresses', async (t) => {
  const service = parsed(
    'Service',
    raw('Service', 'shop/db', {
      spec: {
        clusterIP: '10.96.0.9',
        clusterIPs: ['10.96.0.9', 'fd00:96::9'],
        externalIPs: ['198.51.100.7'],
        ports: [
          { name: 'sql', port: 5432, nodePort: 30432 },
          { port: 53, protocol: 'UDP', nodePort: 0 },
        ],
      },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.7' }, { hostname: 'lb.example' }] } },
    }),
  );
  t.same(service.addresses, ['10.96.0.9', 'fd00:96::9', '198.51.100.7', '203.0.113.7']);
  t.same(service.clusterAddresses, ['10.96.0.9', 'fd00:96::9']);
  t.same(service.ports, [
    { name: 'sql', protocol: 6, port: 5432, nodePort: 30432 },
    { name: '', protocol: 17, port: 53, nodePort: 0 },
  ]);
});

t.test('a headless service and an ExternalName service have no address', async (t) => {
  const headless = { clusterIP: 'None', clusterIPs: ['None'] };
  t.same(parsed('Service', raw('Service', 'shop/db', { spec: headless })).addresses, []);
  const external = { type: 'ExternalName', externalName: 'db.example' };
  t.same(parsed('Service', raw('Service', 'shop/db', { spec: external })).addresses, []);
});

t.test('rule 14: only ready endpoints are kept; a missing condition means ready', async (t) => {
  const slice = parsed(
    'EndpointSlice',
    raw('EndpointSlice', 'shop/db-x', {
      metadata: { labels: { 'kubernetes.io/service-name': 'db' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: true } },
        { addresses: ['10.0.0.2'], conditions: { ready: false, serving: true } },
        { addresses: ['10.0.0.3'], conditions: {} },
        { addresses: ['10.0.0.4'] },
      ],
      ports: [{ name: 'sql', port: 5432 }, { name: 'all' }],
    }),
  );
  t.match(slice, { service: 'db', addresses: ['10.0.0.1', '10.0.0.3', '10.0.0.4'] });
  t.same(slice.ports, [{ name: 'sql', protocol: 6, port: 5432 }]);
});

t.test('a slice has the pod of an address if its target is a pod', async (t) => {
  const endpoints = [
    { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'db-0' } },
    { addresses: ['10.0.0.2'], targetRef: { kind: 'Pod', name: 'db-1', namespace: 'other' } },
    { addresses: ['10.0.0.3'], targetRef: { kind: 'Node', name: 'n1' } },
    { addresses: ['10.0.0.4'] },
  ];
  const slice = parsed('EndpointSlice', raw('EndpointSlice', 'shop/x', { endpoints }));
  t.same(slice.pods, { '10.0.0.1': 'shop/db-0', '10.0.0.2': 'other/db-1' });
});

t.test('a service has its selector, target ports and node ports', async (t) => {
  const ports = [
    { port: 80, targetPort: 'http' },
    { port: 81, targetPort: 8081, nodePort: 30081 },
    { port: 82, targetPort: 0 },
    { port: 83 },
  ];
  const spec = { clusterIP: 'None', selector: { app: 'web' }, ports };
  const read = parsed('Service', raw('Service', 'shop/web', { spec }));
  t.match(read, { headless: true, selector: { app: 'web' }, addresses: [] });
  t.same(
    read.ports.map(({ targetPort, nodePort }) => [targetPort, nodePort]),
    [
      ['http', 0],
      [8081, 30081],
      [undefined, 0],
      [undefined, 0],
    ],
  );
  const without = parsed('Service', raw('Service', 'shop/web', { spec: { clusterIP: '10.96.0.1', ports: [] } }));
  t.notHas(without, { selector: {} });
  t.notHas(without, { headless: true });
  const wrong = {
    ports: [
      { port: 80, targetPort: 'Http' },
      { port: 81, targetPort: 70000 },
    ],
  };
  t.equal(problemsOf(raw('Service', 'shop/web', { spec: wrong })).length, 2);
});

t.test('a broken Node or EndpointSlice is kept with its valid parts; a broken Namespace is not', async (t) => {
  const slice = raw('EndpointSlice', 'shop/x', {
    metadata: { labels: { 'kubernetes.io/service-name': 'db' } },
    endpoints: [{ addresses: ['10.0.0.1', '?'] }],
  });
  t.match(parseObject(slice), {
    is: 'object',
    object: { broken: true, service: 'db', addresses: ['10.0.0.1'] },
    problems: [{ code: 'bad-address' }],
  });
  const node = raw('Node', 'n1', { metadata: { labels: { zone: 1 } } });
  t.match(parseObject(node), { is: 'object', object: { broken: true, name: 'n1' } });
  t.match(parseObject(raw('Namespace', 'shop', { metadata: { labels: { zone: 1 } } })), { is: 'broken' });
});

t.test('a slice of type FQDN has no addresses, which is valid', async (t) => {
  const slice = raw('EndpointSlice', 'shop/x', { addressType: 'FQDN', endpoints: [{ addresses: ['db.example'] }] });
  t.same(parsed('EndpointSlice', slice).addresses, []);
});

t.test('a workload is known by its pod template', async (t) => {
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { hostNetwork: true, containers: [{ ports: [{ name: 'http', containerPort: 80 }] }] },
  };
  const deployment = parsed('Workload', raw('Deployment', 'shop/web', { spec: { template } }));
  t.match(deployment, { workload: { kind: 'Deployment', name: 'web' }, labels: { app: 'web' }, hostNetwork: true });
  t.same(deployment.ports, [{ name: 'http', port: 80, protocol: 6 }]);
  const cron = parsed('Workload', raw('CronJob', 'shop/sweep', { spec: { jobTemplate: { spec: { template } } } }));
  t.match(cron, { workload: { kind: 'CronJob', name: 'sweep' }, labels: { app: 'web' } });
});

t.test('an owned workload represents its owner, since its pods are shown as the owner’s', async (t) => {
  const ownedBy = (kind: string) => ({ metadata: { ownerReferences: [{ kind, name: 'x' }] } });
  const owned = (kind: 'ReplicaSet' | 'Job' | 'ReplicationController', ownerKind: string, rest = {}) => {
    const { workload, owned } = parsed('Workload', raw(kind, 'shop/web-1', { ...ownedBy(ownerKind), ...rest }));
    return [workload, owned];
  };
  t.same(owned('ReplicaSet', 'Deployment'), [
    { kind: 'Deployment', name: 'x' },
    { kind: 'ReplicaSet', retired: false },
  ]);
  t.match(owned('ReplicaSet', 'Rollout')[0], { kind: 'Rollout', name: 'x' });
  t.match(owned('Job', 'CronJob')[0], { kind: 'CronJob', name: 'x' });
  t.match(owned('ReplicationController', 'DeploymentConfig')[0], { kind: 'DeploymentConfig', name: 'x' });
  t.same(owned('ReplicaSet', 'Operator'), [{ kind: 'ReplicaSet', name: 'web-1' }, undefined]);
  t.match(owned('ReplicaSet', 'Deployment', { spec: { replicas: 0 } })[1], { retired: true });
  t.match(owned('Job', 'CronJob', { status: { completionTime: '2026-01-31T00:00:00Z' } })[1], { retired: true });
});

t.test('an owned ReplicaSet is another object than a Deployment of the same name', async (t) => {
  const replicaSet = raw('ReplicaSet', 'shop/web', {
    metadata: { ownerReferences: [{ kind: 'Deployment', name: 'web' }] },
  });
  t.not(objectKey(parsed('Workload', replicaSet)), objectKey(parsed('Workload', raw('Deployment', 'shop/web'))));
});

t.test('a kind of another API that has a pod template is a workload, whatever its version', async (t) => {
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web' }] } };
  const other = (apiVersion: string, kind: string, spec: unknown) => ({
    apiVersion,
    kind,
    metadata: { name: 'web', namespace: 'shop' },
    spec,
  });
  const read = (apiVersion: string, kind: string, spec: unknown = { template }) =>
    parsed('Workload', other(apiVersion, kind, spec));
  const rollout = read('argoproj.io/v1alpha1', 'Rollout');
  t.match(rollout, { name: 'web', namespace: 'shop', workload: { kind: 'Rollout', name: 'web' } });
  t.equal(rollout.labels.app, 'web');
  t.match(read('apps.kruise.io/v1beta1', 'StatefulSet'), { workload: { kind: 'StatefulSet' } });
  t.match(read('example.com/v1', 'Sweep', { jobTemplate: { spec: { template } } }), { workload: { kind: 'Sweep' } });
  t.match(read('v1', 'ReplicationController'), { workload: { kind: 'ReplicationController' } });
  t.match(read('serving.knative.dev/v1', 'Service'), { kind: 'Workload', workload: { kind: 'Service', name: 'web' } });
});

t.test('a workload of another API with a known kind name is another object than the known kind', async (t) => {
  const template = { spec: { containers: [{ name: 'web' }] } };
  const own = { metadata: { name: 'web', namespace: 'shop' }, kind: 'Service' };
  const knative = parsed('Workload', { ...own, apiVersion: 'serving.knative.dev/v1', spec: { template } });
  const service = parsed('Service', { ...own, apiVersion: 'v1', spec: {} });
  t.not(objectKey(knative), objectKey(service));
  t.not(knative.uid, service.uid);
});

t.test(
  'an object whose template has no containers, or that belongs to no other API group, is not a workload',
  async (t) => {
    const template = { spec: { containers: [{ name: 'web' }] } };
    const others = [
      { apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret', spec: { template: { data: {} } } },
      {
        apiVersion: 'cluster.x-k8s.io/v1',
        kind: 'MachineDeployment',
        spec: { template: { spec: { clusterName: 'a' } } },
      },
      { apiVersion: 'serving.knative.dev/v1', kind: 'Service', spec: { template: { spec: {} } } },
      { apiVersion: 'v1', kind: 'Rollout', spec: { template } },
      { apiVersion: 'example.com/v1', kind: 'no kind', spec: { template } },
      { kind: 'Rollout', spec: { template } },
    ];
    for (const other of others) {
      t.same(parseObject({ metadata: { name: 'web' }, ...other }), { is: 'not-ours' }, JSON.stringify(other));
    }
  },
);

t.test('other kinds, and values that are not objects, are not read', async (t) => {
  const others = [
    raw('ConfigMap', 'shop/x'),
    { kind: 'Deployment', replicas: 2 },
    { kind: 'toString' },
    {},
    [],
    null,
    'x',
    1,
  ];
  for (const other of others) t.same(parseObject(other), { is: 'not-ours' });
});

t.test('an object of a known kind without apiVersion is reported', async (t) => {
  t.same(problemsOf({ kind: 'Namespace', metadata: { name: 'shop' } }), [
    'missing-field: Namespace shop (apiVersion): apiVersion is missing; set apiVersion',
  ]);
});

t.test('metadata that is not a map is reported once', async (t) => {
  t.same(problemsOf({ apiVersion: 'v1', kind: 'Namespace', metadata: 'shop' }), [
    'wrong-type: Namespace (no name) (metadata): "shop" is not a map; write a map',
    'missing-field: Namespace (no name) (metadata.name): name is missing; set name',
  ]);
});

t.test('the place of a fault has the line if it is known', async (t) => {
  const slice = raw('EndpointSlice', 'shop/x', { endpoints: [{ addresses: ['?'] }] });
  const result = parseObject(slice, (path) => `x.yaml:${path.length}`);
  t.match(result, {
    problems: [{ place: 'EndpointSlice shop/x (x.yaml:4, endpoints[0].addresses[0])' }],
  });
});

t.test('an object with fields named like methods is read without an exception', async (t) => {
  const odd = { toString: 1, valueOf: 1, hasOwnProperty: 1, constructor: 1 };
  const to = [{ networks: [odd, odd], domainNames: odd }, { pods: odd }, { nodes: odd }, odd];
  const protocols = [odd, { tcp: odd }, { tcp: { destinationPort: odd } }, { destinationNamedPort: odd }];
  const rules = [odd, { action: odd, name: odd, to, protocols }];
  for (const kind of ['Pod', 'ReplicaSet', 'Rollout', 'ClusterNetworkPolicy'] as const) {
    const own = { kind, apiVersion: odd, metadata: { name: odd, ownerReferences: [{ kind: odd }], ...odd } };
    const group = kind === 'Rollout' ? 'argoproj.io/v1' : 'policy.networking.k8s.io/v1alpha2';
    for (const apiVersion of [odd, group]) {
      const spec = { tier: odd, priority: odd, subject: odd, egress: rules, template: { spec: { containers: [odd] } } };
      t.doesNotThrow(() => parseObject({ ...own, apiVersion, spec }));
      t.doesNotThrow(() => parseObject({ ...own, apiVersion, spec: odd }));
    }
  }
});

t.test('an unknown kind in a policy API group is reported', async (t) => {
  const own = { metadata: { name: 'db', namespace: 'shop' }, spec: {} };
  t.same(problemsOf({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolcy', ...own }), [
    'unknown-kind: NetworkPolcy shop/db (kind): unknown kind "NetworkPolcy" in API group networking.k8s.io; use NetworkPolicy, Ingress, IngressClass, IPAddress or ServiceCIDR',
  ]);
  t.match(problemsOf({ apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicies', ...own }), [
    /^unknown-kind: .*; use ClusterNetworkPolicy, AdminNetworkPolicy or BaselineAdminNetworkPolicy$/,
  ]);
  t.same(problemsOf({ apiVersion: 'networking.k8s.io/v1', ...own }), [
    'missing-field: object shop/db (kind): kind is missing; set kind',
  ]);
  t.match(problemsOf({ apiVersion: 'networking.k8s.io/v1', kind: '\u001b[31m', metadata: { name: 'a\nb' } }), [
    /^unknown-kind: object \(no name\) \(kind\): unknown kind "\\u001b\[31m" in API group networking\.k8s\.io; /,
  ]);
  for (const kind of ['Ingress', 'IngressClass', 'IPAddress', 'ServiceCIDR']) {
    t.same(parseObject({ apiVersion: 'networking.k8s.io/v1', kind, ...own }), { is: 'not-ours' });
  }
  t.same(
    parseObject({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolcy' }),
    { is: 'not-ours' },
    'without metadata it is not an object',
  );
});

t.test('a known kind in an API group that lacks it is reported, and in an unknown API group it is not', async (t) => {
  const policy = (apiVersion: string) => ({ apiVersion, kind: 'NetworkPolicy', metadata: { name: 'db' }, spec: {} });
  for (const apiVersion of ['v1', 'networking.k8s.io', 'policy.networking.k8s.io/v1alpha2']) {
    t.same(problemsOf(policy(apiVersion)), [
      `unknown-api-version: NetworkPolicy default/db (apiVersion): apiVersion "${apiVersion}" is not supported for this kind; use networking.k8s.io/v1`,
    ]);
  }
  t.same(problemsOf(policy('policy.example.com/v3')), []);
  t.match(parseObject(policy('policy.example.com/v3')), { object: { kind: 'NetworkPolicy.policy.example.com' } });
});
