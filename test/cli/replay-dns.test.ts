// `waybill replay` with a policy that allows one domain name: only the reply of a trusted server to the pod's own query makes
// a connection `allowed`.
import t, { type Test } from 'tap';
import { ANSWER, addressRecord, dnsMessage, dnsQuery, dnsTypes } from '../../lab/programs/dns-message.ts';
import { type Captured, pcapFile } from '../scene/captures.ts';
import { type Body, ethernet, ip4, tcp, udp } from '../scene/packets.ts';
import { podManifest, shop } from '../scene/pipeline.ts';
import { second, t0 } from '../scene/records.ts';
import { replayScene, run } from '../scene/replay.ts';

const name = 'api.partner.example';
const partner = '198.51.100.20';
const service = '10.96.0.10';
const endpoint = '10.0.2.9';
const stranger = '203.0.113.9';
const forged = { id: 1, flags: ANSWER, name, type: dnsTypes.A, answers: [addressRecord(name, partner, 86_400)] };

/** The pods of the app may reach the name and the cluster's DNS, and nothing else. */
const manifests = `${shop}---${podManifest('dns', 'n2', endpoint)}---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec: { clusterIP: ${service}, ports: [{ name: dns, port: 53, protocol: UDP }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kube-dns-1, namespace: kube-system, labels: { kubernetes.io/service-name: kube-dns } }
addressType: IPv4
endpoints: [{ addresses: [${endpoint}], targetRef: { kind: Pod, namespace: shop, name: dns } }]
ports: [{ name: dns, port: 53, protocol: UDP }]
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: partner }
spec:
  tier: Admin
  priority: 10
  subject: { pods: { namespaceSelector: {}, podSelector: { matchExpressions: [{ key: app, operator: NotIn, values: [dns, db] }] } } }
  egress:
    - { name: partner, action: Accept, to: [{ domainNames: [${name}] }] }
    - { name: dns, action: Accept, to: [{ networks: [${service}/32, ${endpoint}/32, ${stranger}/32] }] }
    - { name: rest, action: Deny, to: [{ networks: [0.0.0.0/0] }] }
`;

/** The packets of one pod. */
class Pod {
  readonly packets: Captured[] = [];
  readonly address: string;
  #timeUs = t0;

  constructor(index: number) {
    this.address = `10.0.1.${100 + index}`;
  }

  add(from: string, to: string, body: Body): this {
    this.#timeUs += second / 100;
    this.packets.push({ frame: ethernet(ip4(from, to, body)), timeUs: this.#timeUs });
    return this;
  }

  ask(server: string, id = 7, port = 40_000): this {
    return this.add(this.address, server, udp(port, 53, dnsQuery(name, id)));
  }

  reply(server: string, { id = 7, port = 40_000, address = partner, to = this.address } = {}): this {
    const answers = [addressRecord(name, address, 60)];
    return this.add(server, to, udp(53, port, dnsMessage({ id, flags: ANSWER, name, type: dnsTypes.A, answers })));
  }

  connect(): this {
    this.add(this.address, partner, tcp(50_000, 443, 'S'));
    return this.add(partner, this.address, tcp(443, 50_000, 'SA', { acknowledged: 1001 }));
  }
}

/** The verdicts of all connections: `allowed 2, unknown: … 1`. */
async function verdictsOf(t: Test, pods: readonly Pod[], ...flags: string[]): Promise<string> {
  const { file } = replayScene(t);
  const packets = pods.flatMap((pod) => pod.packets).sort((a, b) => a.timeUs! - b.timeUs!);
  const all = [manifests, ...pods.map((pod, i) => podManifest(`p${i}`, 'n1', pod.address))].join('\n---\n');
  const path = file('dns.pcap', pcapFile(packets));
  const ran = await run(path, '--cluster', file('dns.yaml', all), ...flags);
  return ran.err.at(-1)!.replace(/^.*connections: /, '');
}

/** The connections to DNS servers are allowed too. */
const onlyAllowed = /^allowed \d+$/;

/** Each pod connects to the partner at the end. */
function podsOf(cases: Record<string, (pod: Pod) => Pod>): Pod[] {
  return Object.values(cases).map((script, index) => script(new Pod(index)).connect());
}

t.test('a reply of the cluster’s DNS to the pod’s own query allows the name', async (t) => {
  const pods = podsOf({
    'through the Service address': (pod) => pod.ask(service).reply(service),
    'before and after translation': (pod) => pod.ask(service).ask(endpoint).reply(endpoint).reply(service),
    'the reply after translation': (pod) => pod.ask(service).reply(endpoint),
  });
  t.match(await verdictsOf(t, pods), onlyAllowed);
});

t.test('anything else leaves the verdict unknown', async (t) => {
  const pods = podsOf({
    'no query at all': (pod) => pod,
    'an unasked reply': (pod) => pod.reply(service),
    'an unasked packet of the pod itself from port 53': (pod) =>
      pod.add(pod.address, '10.0.2.3', udp(53, 44_444, dnsMessage(forged))),
    'a reply with another id': (pod) => pod.ask(service).reply(service, { id: 8 }),
    'a reply to another port': (pod) => pod.ask(service).reply(service, { port: 40_001 }),
    'a reply to another pod': (pod) => pod.ask(service).reply(service, { to: '10.0.2.3' }),
    'a reply of another server': (pod) => pod.ask(service).reply(stranger),
    'a query to another server': (pod) => pod.ask(stranger).reply(stranger),
    'two different replies': (pod) => pod.ask(service).reply(service).reply(service, { address: stranger }),
  });
  t.match(
    await verdictsOf(t, pods),
    /unknown: name resolution not visible \(a capture file may lack queries\), and a domain name could match: ClusterNetworkPolicy partner 9(,|$)/,
  );
});

t.test('--dns-servers trusts a server that no Service names', async (t) => {
  const pods = podsOf({ 'a query to another server': (pod) => pod.ask(stranger).reply(stranger) });
  t.match(await verdictsOf(t, pods, '--dns-servers', `${stranger}/32`), onlyAllowed);
});
