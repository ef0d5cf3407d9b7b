// Verdicts of a policy that allows one domain name, with an agent that watches the pod.
import t from 'tap';
import { emptyDnsReport } from '../../model/dns-answer.ts';
import { UDP } from '../../model/protocol.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { clusterDns, Scene, shop } from '../scene/pipeline.ts';
import { answered, ip, second, t0, web } from '../scene/records.ts';

const name = 'api.partner.example';
const partner = '198.51.100.20';
const stranger = ip('203.0.113.9');

/** web may reach the name and port 53, and nothing else outside. */
const policy = `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: partner }
spec:
  tier: Admin
  priority: 10
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: web } } } }
  egress:
    - { name: partner, action: Accept, to: [{ domainNames: [${name}] }] }
    - { name: dns, action: Accept, to: [{ networks: [${clusterDns}/32] }] }
    - { name: rest, action: Deny, to: [{ networks: [0.0.0.0/0] }] }
`;

/** The agent of n1 watches web's interface 7 since before the pod started, and its DNS. */
function watched({ isNew = true } = {}): Scene {
  const scene = new Scene(`${shop}---${policy}`);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: [web] }]);
  scene.dns({ watched: [{ interfaceIndex: 7, sinceUs: t0, isNew, untilUs: 0 }] });
  scene.pass(20 * second);
  return scene;
}

let port = 20_000;

/** A new connection of web to the partner; returns its verdict. */
function connect(scene: Scene, change: Partial<ConnectionRecord> = {}): string {
  port += 1;
  const times = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  const to = { responder: ip(partner), responderPort: 443, initiatorPort: port };
  scene.see('n1', answered({ ...to, ...times, ...change }));
  scene.pass(2 * second);
  return verdictOf(scene, change.initiatorPort ?? port);
}

function verdictOf(scene: Scene, initiatorPort: number): string {
  const connection = [...scene.connections.values()].find((one) => one.initiatorPort === initiatorPort);
  return connection === undefined ? 'none' : [connection.verdict, connection.unknownReason].filter(Boolean).join(': ');
}

const hidden = (why: string) =>
  `unknown: name resolution not visible (${why}), and a domain name could match: ClusterNetworkPolicy partner`;

t.test('the name that the cluster’s DNS gave the pod is allowed, another name or none is denied', async (t) => {
  const scene = watched();
  t.equal(connect(scene), 'denied', 'no answer at all');
  t.same(scene.kinds(), ['bypass']);
  scene.dnsAnswer('other.example', partner, 60);
  t.equal(connect(scene), 'denied', 'another name');
  scene.dnsAnswer(name, partner, 60);
  t.equal(connect(scene), 'allowed');
  t.equal(connect(scene, { responder: ip('198.51.100.21') }), 'denied', 'another address');
});

t.test('a name given to another pod, or by another server, changes no verdict', async (t) => {
  const scene = watched();
  scene.dnsAnswer(name, partner, 60, { interfaceIndex: 8 });
  scene.dnsAnswer(name, partner, 60, { server: stranger });
  scene.dnsAnswer(name, partner, 60, { asked: stranger });
  scene.names.learn(
    { ...emptyDnsReport, answers: [{ name, address: ip(partner), atUs: scene.nowUs, ttlSeconds: 60 }] },
    { keyOf: () => 'n1 7', podUidOf: () => 'uid-web' },
    0,
  );
  t.equal(connect(scene), 'denied');
  const [connection] = scene.connections.values();
  t.match(connection!.responder.unverifiedNames, [{ name, from: stranger }]);
  t.equal(connection!.responder.names, undefined);
  const [finding] = scene.findings.values();
  t.match(finding!.explanation, /198\.51\.100\.20 \(api\.partner\.example from 203\.0\.113\.9, internet\)/);
});

t.test('where queries may have been missed, the verdict is unknown, and says why', async (t) => {
  t.equal(connect(watched({ isNew: false })), hidden('the pod may have asked before it was watched'));
  const cases: [string, (scene: Scene) => void][] = [
    [
      'not all of its DNS queries are known',
      (scene) => scene.dns({ watched: [{ interfaceIndex: 7, sinceUs: t0, isNew: true, untilUs: scene.nowUs }] }),
    ],
    [
      'the pod asked, and the reply was not seen or is not certain',
      (scene) => scene.dns({ unanswered: [{ interfaceIndex: 7, name, atUs: scene.nowUs, open: true }] }),
    ],
    ['the pod uses DNS over TLS', (scene) => connect(scene, { responder: stranger, responderPort: 853 })],
    [
      'the pod asks a DNS server that is not trusted',
      (scene) => connect(scene, { responder: stranger, responderPort: 53, protocol: UDP }),
    ],
  ];
  for (const [why, happen] of cases) {
    const scene = watched();
    t.equal(connect(scene), 'denied', `${why}: before`);
    happen(scene);
    t.equal(connect(scene), hidden(why));
  }
});

t.test('an unanswered query for another name leaves the denial certain', async (t) => {
  const scene = watched();
  scene.dns({ unanswered: [{ interfaceIndex: 7, name: 'x.example', atUs: scene.nowUs, open: true }] });
  t.equal(connect(scene), 'denied');
});

t.test(
  'an open connection outlives the time to live of its name; a new one with the old address is unknown',
  async (t) => {
    const scene = watched();
    scene.dnsAnswer(name, partner, 1);
    const open = { beganUs: scene.nowUs, initiatorPort: 9 };
    t.equal(connect(scene, open), 'allowed');
    for (let i = 1; i <= 20; i++) {
      scene.nowUs += 60 * second;
      t.equal(connect(scene, open), 'allowed');
    }
    t.same(scene.kinds(), [], 'and it is not grandfathered');
    t.equal(connect(scene), hidden('the pod asked, and the reply was not seen or is not certain'));
  },
);

t.test('after a restart of the agent a new connection is unknown, an open one keeps its verdict', async (t) => {
  const scene = watched();
  const open = { beganUs: scene.nowUs, initiatorPort: 9 };
  t.equal(connect(scene, open), 'denied');
  scene.dns({ watched: [{ interfaceIndex: 7, sinceUs: scene.nowUs, isNew: false, untilUs: 0 }] });
  t.equal(connect(scene, open), 'denied');
  t.equal(connect(scene), hidden('not all of its DNS queries are known'));
});

for (const [state, ended] of [
  ['open', false],
  ['ended', true],
] as const) {
  t.test(`an ${state} connection that a withdrawn name allowed is evaluated again`, async (t) => {
    const scene = watched();
    scene.dnsAnswer(name, partner, 60);
    const atUs = scene.nowUs;
    t.equal(connect(scene, { ended }), 'allowed');
    const withdrawnPort = port;
    const origin = { interfaceIndex: 7, server: clusterDns, asked: clusterDns };
    scene.pass(8 * second);
    scene.dns({
      withdrawn: [{ name, address: ip(partner), atUs, origin }],
      unanswered: [{ interfaceIndex: 7, name, atUs, open: true }],
    });
    scene.pass(10 * second);
    t.equal(verdictOf(scene, withdrawnPort), hidden('the pod asked, and the reply was not seen or is not certain'));
  });
}

t.test('a connection that a withdrawn name allowed is evaluated again at the end of a file', async (t) => {
  const scene = watched();
  scene.dnsAnswer(name, partner, 60);
  const atUs = scene.nowUs;
  t.equal(connect(scene), 'allowed');
  const origin = { interfaceIndex: 7, server: clusterDns, asked: clusterDns };
  scene.dns({ withdrawn: [{ name, address: ip(partner), atUs, origin }] });
  scene.pipeline.finish(scene.nowUs);
  scene.collect();
  t.equal(verdictOf(scene, port), 'denied');
  t.same(scene.kinds(), ['bypass']);
});

t.test('a step that does not evaluate all connections with an unsettled name reports that more are due', async (t) => {
  const scene = watched();
  scene.dnsAnswer(name, partner, 60);
  for (let i = 0; i < 5; i++) connect(scene);
  scene.nowUs += 60 * second;
  const more = [1, 2, 3].map(() => scene.pipeline.tick(scene.nowUs, 2));
  t.same(more, [true, true, false]);
  t.equal(scene.pipeline.changes().connections.length, 5);
});

t.test('the cluster’s DNS is the Service with the label, and its endpoints, at the time of the answer', async (t) => {
  const service = (label: string, namespace = 'kube-system') => `
apiVersion: v1
kind: Service
metadata: { name: coredns, namespace: ${namespace}, labels: { k8s-app: ${label} } }
spec: { clusterIP: 10.96.0.53, ports: [{ name: dns, port: 53, protocol: UDP }, { name: metrics, port: 9153 }] }
`;
  const slice = (endpoint: string, dnsPort = 53) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: coredns-1, namespace: kube-system, labels: { kubernetes.io/service-name: coredns } }
addressType: IPv4
endpoints: [{ addresses: [${endpoint}] }]
ports: [{ name: dns, port: ${dnsPort}, protocol: UDP }, { name: metrics, port: 9153 }]
`;
  const verdictWith = (server: string, ...manifests: string[]) => {
    const scene = watched();
    for (const one of manifests) scene.put(one);
    scene.dnsAnswer(name, partner, 60, { server: ip(server) });
    return connect(scene);
  };
  t.equal(verdictWith('10.96.0.53', service('kube-dns')), 'allowed');
  t.equal(verdictWith('10.0.2.9', service('kube-dns'), slice('10.0.2.9')), 'allowed', 'an endpoint');
  t.equal(verdictWith('10.0.2.9', slice('10.0.2.9'), service('kube-dns')), 'allowed', 'whichever is known first');
  t.equal(verdictWith('10.96.0.53', service('other')), 'denied', 'another label');
  t.equal(verdictWith('10.96.0.53', service('kube-dns', 'shop')), 'denied', 'another namespace');
  t.equal(verdictWith('10.0.2.9', service('kube-dns')), 'denied', 'no endpoint');
  t.equal(
    verdictWith('10.0.2.8', service('kube-dns'), slice('10.0.2.9', 5353)),
    hidden("the cluster's DNS endpoints use another port than 53"),
  );

  const scene = watched();
  scene.put(service('kube-dns'));
  scene.put(slice('10.0.2.9'));
  scene.pass(60 * second);
  scene.dnsAnswer(name, partner, 60, { server: ip('10.0.2.9') });
  scene.put(slice('10.0.2.10'));
  t.equal(connect(scene), 'allowed', 'it was an endpoint when it answered');
  scene.pass(60 * second);
  scene.dnsAnswer(name, '198.51.100.30', 60, { server: ip('10.0.2.9') });
  t.equal(connect(scene, { responder: ip('198.51.100.30') }), 'denied', 'now it is any pod');
});
