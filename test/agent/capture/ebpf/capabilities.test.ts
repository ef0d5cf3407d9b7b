// Runs the agent with the permissions of deploy/agent.yaml: root with four capabilities. Then removes each in turn.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { type Capability, missingCapabilities } from '../../../../agent/capture/ebpf/capabilities.ts';
import { makeCertificates } from '../../../../certs/make.ts';
import type { StatusJson } from '../../../../collector/api/api.ts';
import type { ConnectionJson } from '../../../../model/json.ts';
import { Deploy } from '../../../deploy/manifests.ts';
import { manifests, ports } from '../../../scene/node-programs.ts';
import { type PodLink, podLink, withoutNamespaces } from '../../../scene/pod-link.ts';
import { type Ended, Program, runWaybill } from '../../../scene/programs.ts';
import { until } from '../../../scene/until.ts';
import { compileForOldKernel } from './without-conntrack.ts';

const skip = withoutNamespaces;
const all = new Deploy().agent.spec.template.spec.containers[0]!.securityContext.capabilities!.add as Capability[];

/** A node with one pod and a collector. Agents run there with the given capabilities only. */
class Node {
  readonly link: PodLink;
  readonly #folder: string;

  private constructor(link: PodLink, folder: string) {
    this.link = link;
    this.#folder = folder;
  }

  static async make(t: Test): Promise<Node> {
    const folder = t.testdir();
    const wanted = { folder: `${folder}/certs`, nodes: ['n1'], servers: ['127.0.0.1'], days: 60 };
    await makeCertificates({ ...wanted, overwrite: false });
    mkdirSync(`${folder}/manifests`);
    writeFileSync(`${folder}/manifests/all.yaml`, manifests);
    const node = new Node(podLink(t), folder);
    const listen = { 'ingest-listen': ports.ingest, 'api-listen': ports.api };
    const flags = node.#flags('collector', { ...listen, 'store-path': `${folder}/waybill.duckdb` });
    await Program.start(t, 'collector', flags, { before: node.link.onNode });
    return node;
  }

  agent(t: Test, source: string, capabilities: readonly Capability[]): Promise<Program> {
    return Program.start(t, 'agent', this.#agentFlags(source), { before: this.#with(capabilities) });
  }

  /** Simulates a kernel without conntrack lookups for BPF programs. */
  agentOnOldKernel(t: Test): Promise<Program> {
    const { withConntrack } = compileForOldKernel(t.testdir({}));
    const hidden = new URL('../../../../agent/capture/ebpf/flows-conntrack.bpf.o', import.meta.url).pathname;
    const hide = ['unshare', '-m', 'sh', '-c', `mount --bind ${withConntrack} ${hidden} && exec "$@"`, 'sh'];
    return Program.start(t, 'agent', this.#agentFlags('ebpf'), { before: [...hide, ...this.#with(all)] });
  }

  /** For an agent that cannot start. */
  agentEnds(source: string, capabilities: readonly Capability[]): Promise<Ended> {
    return runWaybill(['agent', ...this.#agentFlags(source)], { before: this.#with(capabilities) });
  }

  /** /proc/self/status of a process with these capabilities. */
  ownStatus(capabilities: readonly Capability[]): string {
    const [program, ...words] = [...this.#with(capabilities), 'cat', '/proc/self/status'];
    return execFileSync(program!, words, { encoding: 'utf8' });
  }

  /** Adds a filter towards the pod that accepts everything, as a network plugin might. */
  filterTowardsPod(): void {
    const ok = ['bytecode', '1,6 0 0 0', 'direct-action'];
    for (const words of [
      ['qdisc', 'add', 'dev', 'veth0', 'clsact'],
      ['filter', 'add', 'dev', 'veth0', 'egress', 'bpf', ...ok],
    ]) {
      const [program, ...args] = [...this.link.onNode, 'tc', ...words];
      execFileSync(program!, args);
    }
  }

  /** Waits until the node's agent reports its interface. Returns the source and the reason for it. */
  async source(name: string): Promise<string> {
    let node: StatusJson['nodes']['list'][number] | undefined;
    await until(`the node is watched by ${name}`, async () => {
      [node] = ((await this.ask('status')) as StatusJson).nodes.list;
      return node?.agent === 'reporting' && node.source === name && node.interfaces === 1;
    });
    return `${node!.source}: ${node!.sourceReason}`;
  }

  async ask(verb: string): Promise<unknown> {
    const { code, out, err } = await runWaybill([verb, '-o', 'json', '--collector', `https://${ports.api}`], {
      before: this.link.onNode,
      env: {
        WAYBILL_TLS_CA: `${this.#folder}/certs/ca.crt`,
        WAYBILL_TLS_CERT: `${this.#folder}/certs/client.crt`,
        WAYBILL_TLS_KEY: `${this.#folder}/certs/client.key`,
      },
    });
    if (code !== 0) throw new Error(`waybill ${verb}: ${err}`);
    return JSON.parse(out);
  }

  #with(capabilities: readonly Capability[]): string[] {
    const sets = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',');
    const drop = [`--bounding-set=${sets}`, `--inh-caps=${sets}`, '--no-new-privs'];
    return [...this.link.onNode, 'setpriv', ...drop, '--'];
  }

  #agentFlags(source: string): string[] {
    return this.#flags('agent-n1', {
      'node-name': 'n1',
      'collector-address': ports.ingest,
      'capture-source': source,
      'capture-report-every': '1s',
    });
  }

  #flags(certificate: string, own: Record<string, string>): string[] {
    const settings = {
      'tls-ca': `${this.#folder}/certs/ca.crt`,
      'tls-cert': `${this.#folder}/certs/${certificate}.crt`,
      'tls-key': `${this.#folder}/certs/${certificate}.key`,
      'cluster-manifests': `${this.#folder}/manifests`,
      'health-listen': '127.0.0.1:0',
      ...own,
    };
    return Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
  }
}

const without = (taken: Capability) => all.filter((name) => name !== taken);

t.test('missing capabilities are read from the status of the process', async (t) => {
  const status = (effective: string) => `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\n`;
  t.same(missingCapabilities(all, status('000000c000003000')), []);
  t.same(missingCapabilities(all, status('0000000000000000')).toSorted(), all.toSorted());
  t.same(missingCapabilities(all, status('0000008000003000')), ['PERFMON']);
  t.same(missingCapabilities(all, status('0000000000203000')), [], 'SYS_ADMIN includes BPF and PERFMON');
});

t.test('the agent needs the capabilities of deploy/agent.yaml and no others', { skip }, async (t) => {
  const node = await Node.make(t);

  await t.test('with the four capabilities it watches by ebpf, and a connection is stored as delivered', async (t) => {
    t.match(node.ownStatus(all), /^CapEff:\t000000c000003000$/m, 'it has no other capabilities');
    const agent = await node.agent(t, 'ebpf', all);
    t.match(await node.source('ebpf'), /^ebpf: configured; towards pods: (TCX|clsact) on 1 interface$/);
    node.link.ping(20);
    const seen = { protocol: 'ICMP', delivered: 'yes', packets: { forward: 20, reverse: 20 } };
    await until('every packet is stored, with proof of delivery', async () =>
      ((await node.ask('flows')) as ConnectionJson[]).some(
        ({ responder, protocol, delivered, packets }) =>
          responder.workload === 'web' && isDeepStrictEqual({ protocol, delivered, packets }, seen),
      ),
    );
    t.equal(await agent.end(), 0);
    t.equal(agent.stderr, '');
    const warned = agent.log.filter(({ level }) => level >= 40);
    t.same(warned, [], 'the agent logs no warning');
  });

  await t.test(
    'on a kernel without conntrack lookups for programs it still watches by ebpf, and logs the reason',
    async (t) => {
      const agent = await node.agentOnOldKernel(t);
      t.match(await node.source('ebpf'), /^ebpf: configured; towards pods: (TCX|clsact) on 1 interface$/);
      const line = await agent.logged('eBPF program cannot look up conntrack');
      t.match(line, {
        level: 30,
        reason: /\(EINVAL\): conntrack lookups need Linux 6\.1 or later, and CAP_SYS_ADMIN if .* \(nf_conntrack\)$/,
      });
      node.link.ping(7);
      await until('every packet is stored', async () =>
        ((await node.ask('flows')) as ConnectionJson[]).some(
          ({ delivered, packets }) => delivered === 'yes' && isDeepStrictEqual(packets, { forward: 7, reverse: 7 }),
        ),
      );
      t.equal(await agent.end(), 0);
    },
  );

  await t.test('a configured source that lacks a capability names it in one line, and the agent exits', async (t) => {
    const lacking = [
      ['ebpf', 'BPF'],
      ['ebpf', 'NET_ADMIN'],
      ['ebpf', 'PERFMON'],
      ['tap', 'NET_RAW'],
    ] as const;
    const all = lacking.map(async ([source, taken]) => {
      const { code, out, err } = await node.agentEnds(source, without(taken));
      t.match({ code, out }, { code: 2, out: '' });
      t.match(err, new RegExp(`^source-refused: ${source}: CAP_${taken} is missing; .*docs/install\\.md.*\n$`));
    });
    await Promise.all(all);
  });

  for (const [taken, wanted] of [
    ['BPF', 'pcap: no ebpf: CAP_BPF is missing; no tap: CAP_BPF is missing'],
    ['PERFMON', 'pcap: no ebpf: CAP_PERFMON is missing; no tap: CAP_PERFMON is missing'],
    ['NET_ADMIN', 'tap: no ebpf: CAP_NET_ADMIN is missing; towards pods: packet tap on 1 interface'],
  ] as const) {
    await t.test(`without ${taken} it uses the next source automatically, and the status has the reason`, async (t) => {
      const agent = await node.agent(t, 'auto', without(taken));
      t.equal(await node.source(wanted.split(':')[0]!), wanted);
      t.equal(await agent.end(), 0);
    });
  }

  await t.test(
    'without NET_RAW ebpf watches until another program filters towards the pod, and logs that once',
    async (t) => {
      const { code, err } = await node.agentEnds('tap', without('NET_RAW'));
      t.equal(code, 2);
      t.match(err, /^source-refused: tap: CAP_NET_RAW is missing; /);
      const agent = await node.agent(t, 'ebpf', without('NET_RAW'));
      t.match(await node.source('ebpf'), /^ebpf: configured; towards pods: (TCX|clsact) on 1 interface$/);
      node.filterTowardsPod();
      const line = await agent.logged('packets towards the pod are not seen');
      t.match(line, { level: 40, interface: 'veth0', reason: 'CAP_NET_RAW is missing' });
      await until(
        'status shows no attachment towards the pod',
        async () => (await node.source('ebpf')) === 'ebpf: configured',
      );
      t.equal(
        agent.lines('packets towards the pod').length,
        1,
        'it tries again at each drain, and logs the failure once',
      );
      t.equal(await agent.end(), 0);
    },
  );
});
