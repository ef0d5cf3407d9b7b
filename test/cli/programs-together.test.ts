import { mkdirSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import type { StatusJson } from '../../collector/api/api.ts';
import { type PodLink, podLink, withoutNamespaces } from '../scene/pod-link.ts';
import { Program, runWaybill } from '../scene/programs.ts';
import { until } from '../scene/until.ts';

const skip = withoutNamespaces;
const ports = { ingest: '127.0.0.1:7443', api: '127.0.0.1:7444' };
const manifests = `
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 10.99.0.1 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, uid: uid-web }
spec: { nodeName: n1, containers: [{ name: main }] }
status: { phase: Running, podIP: 10.99.0.2, podIPs: [{ ip: 10.99.0.2 }] }
`;

/** A node with one pod. Agents and a collector run on it. */
class Node {
  readonly link: PodLink;
  readonly #t: Test;
  readonly #folder: string;

  private constructor(t: Test, link: PodLink, folder: string) {
    this.#t = t;
    this.link = link;
    this.#folder = folder;
  }

  static async make(t: Test): Promise<Node> {
    const folder = t.testdir();
    for (const authority of ['ours', 'other']) {
      const wanted = { folder: `${folder}/${authority}`, nodes: ['n1', 'n2'], servers: ['127.0.0.1'], days: 1 };
      await makeCertificates({ ...wanted, overwrite: false });
    }
    mkdirSync(`${folder}/manifests`);
    writeFileSync(`${folder}/manifests/all.yaml`, manifests);
    return new Node(t, podLink(t), folder);
  }

  /** `certificate` is for example `ours/agent-n1`. The agent always trusts our authority. */
  agent(certificate: string): Promise<Program> {
    const flags = { 'node-name': 'n1', 'collector-address': ports.ingest, 'capture-report-every': '1s' };
    return this.#start('agent', certificate, flags);
  }

  collector(): Promise<Program> {
    const listen = { 'ingest-listen': ports.ingest, 'api-listen': ports.api };
    return this.#start('collector', 'ours/collector', { ...listen, 'store-path': `${this.#folder}/waybill.duckdb` });
  }

  async status(): Promise<StatusJson> {
    return (await this.ask('status')) as StatusJson;
  }

  async ask(verb: string): Promise<unknown> {
    const { code, out, err } = await runWaybill([verb, '-o', 'json', '--collector', `https://${ports.api}`], {
      before: this.link.onNode,
      env: {
        WAYBILL_TLS_CA: `${this.#folder}/ours/ca.crt`,
        WAYBILL_TLS_CERT: `${this.#folder}/ours/client.crt`,
        WAYBILL_TLS_KEY: `${this.#folder}/ours/client.key`,
      },
    });
    if (code !== 0) throw new Error(`waybill ${verb}: ${err}`);
    return JSON.parse(out);
  }

  #start(kind: 'agent' | 'collector', certificate: string, own: Record<string, string>): Promise<Program> {
    const settings = {
      'tls-ca': `${this.#folder}/ours/ca.crt`,
      'tls-cert': `${this.#folder}/${certificate}.crt`,
      'tls-key': `${this.#folder}/${certificate}.key`,
      'cluster-manifests': `${this.#folder}/manifests`,
      'health-listen': '127.0.0.1:0',
      ...own,
    };
    const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
    return Program.start(this.#t, kind, flags, { before: this.link.onNode });
  }
}

t.test('an agent without a collector logs it once, keeps its records, and delivers them later', { skip }, async (t) => {
  const node = await Node.make(t);
  const agent = await node.agent('ours/agent-n1');
  t.match(await agent.logged('collector unreachable, retrying'), {
    level: 40,
    address: ports.ingest,
    reason: /ECONNREFUSED/,
  });
  node.link.ping(20);
  const collector = await node.collector();
  await agent.logged('collector reachable again');
  t.equal(agent.lines('collector unreachable').length, 1, 'it retried several times, and logged it once');
  await until('every packet is stored', async () => (await node.status()).store.packets >= 40);
  const status = await node.status();
  t.match(status, { nodes: { reporting: 1, of: 1 }, ingest: { streamsRefused: 0 } });
  t.match(status.nodes.list, [{ node: 'n1', agent: 'reporting', interfaces: 1, duplicatesDropped: 0 }]);
  await until(
    'the connection is evaluated',
    async () => ((await node.ask('flows')) as { ended: boolean }[]).length > 0,
  );
  const flows = (await node.ask('flows')) as { protocol: string }[];
  const ping = {
    protocol: 'ICMP',
    initiator: { kind: 'node', node: 'n1' },
    responder: { kind: 'pod', workload: 'web' },
  };
  t.match(
    flows.filter((flow) => flow.protocol === 'ICMP'),
    [{ ...ping, packets: { forward: 20, reverse: 20 } }],
  );
  t.same([await agent.end(), await collector.end()], [0, 0]);
  t.same([agent.stderr, collector.stderr], ['', '']);
});

t.test('an agent with a certificate of another authority logs it, and nothing is stored', { skip }, async (t) => {
  const node = await Node.make(t);
  await node.collector();
  const foreign = await node.agent('other/agent-n1');
  const said = {
    level: 40,
    reason: /^the collector closed the connection, probably because it/,
    fix: /^set tls\.cert and tls\.key/,
  };
  t.match(await foreign.logged('collector unreachable, retrying'), said);
  node.link.ping(5);
  t.match(await node.status(), { nodes: { reporting: 0, of: 1 }, store: { batches: 0, records: 0, connections: 0 } });
  // An agent with undelivered records would delay its end.
  await foreign.kill();
});
