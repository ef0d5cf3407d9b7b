import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import t from 'tap';
import { serveHealth } from '../../agent/health.ts';
import { runVerdict } from '../../cli/verdict.ts';
import { apiScene } from '../scene/api.ts';
import { checks, configOf, exampleNode, probesOf, programs } from './checks.ts';
import { Deploy, deployFolder } from './manifests.ts';

for (const [name, check] of Object.entries(checks)) {
  t.test(`deploy/: ${name}`, async (t) => t.same(await check(new Deploy()), []));
}

/** Each is a change of deploy/ that must make the check of that name fail. */
const mutations: [keyof typeof checks, what: string, (deploy: Deploy) => void][] = [
  [
    'every flag and variable is a setting of its program',
    'a flag',
    ({ agent }) => container(agent).args.push('--colour', 'red'),
  ],
  [
    'every flag and variable is a setting of its program',
    'a variable',
    ({ agent }) => container(agent).env!.push({ name: 'WAYBILL_COLOUR', value: 'red' }),
  ],
  [
    'every flag and variable is a setting of its program',
    'order of variables',
    ({ agent }) => container(agent).env!.reverse(),
  ],
  [
    'every setting is valid, also a default shown as a comment',
    'a setting',
    (deploy) => replace(deploy, 'waybill-collector', 'maxBytes: 8GiB', 'maxByte: 8GiB'),
  ],
  [
    'every setting is valid, also a default shown as a comment',
    'a value',
    (deploy) => replace(deploy, 'waybill-agent', 'bufferBytes: 4MiB', 'bufferBytes: 4MB'),
  ],
  [
    'every setting is valid, also a default shown as a comment',
    'a name in a comment',
    (deploy) => replace(deploy, 'waybill-agent', '#maxConnections:', '#maxConnection:'),
  ],
  [
    'every setting is valid, also a default shown as a comment',
    'a default in a comment',
    (deploy) => replace(deploy, 'waybill-collector', '#memoryLimit: 256MiB', '#memoryLimit: 128MiB'),
  ],
  [
    'the declared ports are the ports that the program listens on',
    'a port of the container',
    ({ collector }) => (container(collector).ports[0]!.containerPort = 7447),
  ],
  [
    'the declared ports are the ports that the program listens on',
    'a port of the settings',
    (deploy) => replace(deploy, 'waybill-agent', '127.0.0.1:7446', '127.0.0.1:7447'),
  ],
  [
    'the declared ports are the ports that the program listens on',
    'a port of the host',
    ({ agent }) => (container(agent).ports[0]!.hostPort = 7447),
  ],
  [
    'the agent’s collector address is a port of the collector’s Service',
    'a port of the Service',
    (deploy) => (deploy.one('Service', 'waybill-collector').spec.ports[0]!.port = 7447),
  ],
  [
    'the agent’s collector address is a port of the collector’s Service',
    'a name of a port',
    (deploy) => (deploy.one('Service', 'waybill-collector').spec.ports[1]!.targetPort = 'http'),
  ],
  [
    'the agent’s collector address is a port of the collector’s Service',
    'the name of the Service',
    (deploy) => (deploy.one('Service', 'waybill-collector').metadata.name = 'collector'),
  ],
  [
    'probes use the health port and its address',
    'the port of a probe',
    ({ collector }) => (container(collector).livenessProbe.httpGet.port = 'api'),
  ],
  [
    'probes use the health port and its address',
    'the host of a probe',
    ({ agent }) => delete container(agent).readinessProbe.httpGet.host,
  ],
  [
    'every path that a program reads or writes is mounted',
    'a mount',
    ({ agent }) => (container(agent).volumeMounts[1]!.mountPath = '/etc/waybill/certs'),
  ],
  [
    'every path that a program reads or writes is mounted',
    'a file of a Secret',
    ({ agent }) => (container(agent).env![1]!.value = '/etc/waybill/tls/tls.crt'),
  ],
  [
    'every path that a program reads or writes is mounted',
    'a volume that cannot be written',
    ({ collector }) => (container(collector).volumeMounts[2]!.readOnly = true),
  ],
  [
    'every reference names an object of deploy/',
    'a service account',
    ({ agent }) => (agent.spec.template.spec.serviceAccountName = 'agent'),
  ],
  [
    'every reference names an object of deploy/',
    'a ConfigMap',
    ({ agent }) => (agent.spec.template.spec.volumes[0]!.configMap!.name = 'agent'),
  ],
  [
    'every reference names an object of deploy/',
    'a Secret',
    ({ agent }) => (agent.spec.template.spec.volumes[1]!.secret!.secretName = 'agent'),
  ],
  [
    'every reference names an object of deploy/',
    'a volume',
    ({ collector }) => (container(collector).volumeMounts[2]!.name = 'data'),
  ],
  [
    'every reference names an object of deploy/',
    'a role',
    (deploy) => (deploy.one('ClusterRoleBinding', 'waybill-agent').roleRef.name = 'agent'),
  ],
  [
    'every reference names an object of deploy/',
    'a label of the pods',
    ({ collector }) => (collector.spec.template.metadata.labels['app.kubernetes.io/component'] = 'middle'),
  ],
  [
    'every reference names an object of deploy/',
    'a port of the policy',
    (deploy) => (deploy.one('NetworkPolicy', 'waybill-collector').spec.ingress[0]!.ports[0]!.port = 'grpc'),
  ],
  [
    'every reference names an object of deploy/',
    'the priority of the quota',
    ({ agent }) => (agent.spec.template.spec.priorityClassName = 'system-cluster-critical'),
  ],
  [
    'every object has its labels and namespace, and the version of package.json',
    'a version',
    (deploy) => (deploy.one('Service', 'waybill-collector').metadata.labels['app.kubernetes.io/version'] = '0.0.9'),
  ],
  [
    'every object has its labels and namespace, and the version of package.json',
    'a namespace',
    (deploy) => delete deploy.one('ConfigMap', 'waybill-agent').metadata.namespace,
  ],
  [
    'every object has its labels and namespace, and the version of package.json',
    'an image',
    ({ agent }) => (container(agent).image = 'waybill-agent:latest'),
  ],
  ['the kustomization lists every file', 'a file', (deploy) => deploy.kustomization.resources.pop()],
  [
    'RBAC allows exactly the requests that each program makes',
    'a verb too many',
    (deploy) => deploy.one('ClusterRole', 'waybill-agent').rules[0]!.verbs.push('get'),
  ],
  [
    'RBAC allows exactly the requests that each program makes',
    'a resource too few',
    (deploy) => deploy.one('ClusterRole', 'waybill-collector').rules[0]!.resources.pop(),
  ],
  [
    'the agent is root with four capabilities and nothing of the host but its network',
    'privileged',
    ({ agent }) => (container(agent).securityContext.privileged = true),
  ],
  [
    'the agent is root with four capabilities and nothing of the host but its network',
    'a capability too many',
    ({ agent }) => container(agent).securityContext.capabilities!.add!.push('SYS_ADMIN'),
  ],
  [
    'the agent is root with four capabilities and nothing of the host but its network',
    'a capability too few',
    ({ agent }) => container(agent).securityContext.capabilities!.add!.pop(),
  ],
  [
    'the agent is root with four capabilities and nothing of the host but its network',
    'files of the host',
    ({ agent }) => agent.spec.template.spec.volumes.push({ name: 'host', hostPath: { path: '/' } }),
  ],
  [
    'the collector meets the Pod Security level restricted',
    'a capability',
    ({ collector }) => (container(collector).securityContext.capabilities!.add = ['NET_BIND_SERVICE']),
  ],
  [
    'the collector meets the Pod Security level restricted',
    'root',
    ({ collector }) => (collector.spec.template.spec.securityContext.runAsUser = 0),
  ],
  [
    'volume and memory are large enough for the settings',
    'a small volume',
    ({ collector }) => (collector.spec.volumeClaimTemplates![0]!.spec.resources.requests.storage = '8Gi'),
  ],
  [
    'volume and memory are large enough for the settings',
    'little memory',
    ({ collector }) => (container(collector).resources.limits.memory = '512Mi'),
  ],
  [
    'volume and memory are large enough for the settings',
    'more connections than the agent’s memory allows',
    (deploy) => replace(deploy, 'waybill-agent', '#maxConnections: 100000', 'maxConnections: 500000'),
  ],
];

t.test('each check fails after a change that it must detect', async (t) => {
  for (const [name, what, change] of mutations) {
    const deploy = new Deploy();
    change(deploy);
    t.not((await checks[name]!(deploy)).length, 0, `${name}: ${what}`);
  }
  const tried = new Set(mutations.map(([name]) => name));
  t.same(
    Object.keys(checks).filter((name) => !tried.has(name)),
    [],
    'every check has a change',
  );
});

t.test('both programs answer the probes', async (t) => {
  const [agent, collector] = programs(new Deploy());
  const health = await serveHealth('127.0.0.1:0', () => ({ ready: true, reason: 'watching' }));
  t.teardown(() => health.close());
  const { healthUrl } = await apiScene(t, {});
  for (const [program, url] of [
    [agent!, `http://127.0.0.1:${(health.address() as AddressInfo).port}`],
    [collector!, healthUrl],
  ] as const) {
    for (const { httpGet } of probesOf(program.container)) {
      const { status } = await fetch(`${url}${httpGet.path}`);
      t.equal(status, 200, `${program.name} ${httpGet.path}`);
    }
  }
});

t.test('an agent uses the certificate of its own node', async (t) => {
  const [agent] = programs(new Deploy());
  const { node, tls } = configOf(new Deploy(), agent!) as Record<string, Record<string, string>>;
  t.equal(node!.name, exampleNode);
  t.match(tls, { cert: `/etc/waybill/tls/agent-${exampleNode}.crt`, key: `/etc/waybill/tls/agent-${exampleNode}.key` });
});

t.test('the collector’s policy allows only agents as clients, and only connections to the API server', async (t) => {
  const collector = 'waybill/StatefulSet/waybill-collector';
  const [aNode, theApiServer, theInternet] = ['192.0.2.9', '10.0.0.10', '203.0.113.9'];
  const questions = [
    { id: 'allowed', from: aNode, to: collector, port: 7443 },
    { id: 'denied', from: aNode, to: collector, port: 7444 },
    { id: 'allowed', from: collector, to: theApiServer, port: 443 },
    { id: 'allowed', from: collector, to: theApiServer, port: 6443 },
    { id: 'allowed', from: collector, to: 'fd00::10', port: 6443 },
    { id: 'denied', from: collector, to: theInternet, port: 443 },
    { id: 'denied', from: collector, to: '2001:db8::9', port: 443 },
    { id: 'denied', from: collector, to: theApiServer, port: 22 },
    { id: 'denied', from: collector, to: theApiServer, port: 53, protocol: 'UDP' },
  ];
  const answers: string[] = [];
  const stdout = new Writable({
    write(chunk, _, done) {
      answers.push(
        ...String(chunk)
          .split('\n')
          .filter((line) => line !== ''),
      );
      done();
    },
  });
  const stdin = Readable.from(questions.map((question) => `${JSON.stringify(question)}\n`));
  await runVerdict({ cluster: deployFolder, batch: true, output: 'table' }, { stdin, stdout, stderr: process.stderr });
  t.equal(answers.length, questions.length);
  for (const [at, line] of answers.entries()) {
    const { id, verdict } = JSON.parse(line) as { id: string; verdict: string };
    t.equal(verdict, id, JSON.stringify(questions[at]));
  }
});

function container(workload: Deploy['agent']) {
  return workload.spec.template.spec.containers[0]!;
}

function replace(deploy: Deploy, map: string, from: string, to: string): void {
  const { data } = deploy.one('ConfigMap', map);
  const [file] = Object.keys(data);
  if (!data[file!]!.includes(from)) throw new Error(`${map} has no ${from}`);
  data[file!] = data[file!]!.replace(from, to);
}
