// The real agent and the real collector on a node with one pod, in network namespaces of their own.
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import type { StatusJson } from '../../collector/api/api.ts';
import { type PodLink, podAddress, podLink } from './pod-link.ts';
import { Program, runWaybill } from './programs.ts';

export const ports = { ingest: '127.0.0.1:7443', api: '127.0.0.1:7444' };
/** The node n1, and the pod web behind `podLink`. */
export const manifests = `
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 10.99.0.1 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, uid: uid-web }
spec: { nodeName: n1, containers: [{ name: main }] }
status: { phase: Running, podIP: ${podAddress}, podIPs: [{ ip: ${podAddress} }] }
`;

/** More flags, and the environment. */
type StartOptions = { flags?: Record<string, string>; env?: Readonly<Record<string, string>> };

export class NodePrograms {
  readonly link: PodLink;
  readonly folder: string;
  readonly #t: Test;

  private constructor(t: Test, link: PodLink, folder: string) {
    this.#t = t;
    this.link = link;
    this.folder = folder;
  }

  static async make(t: Test): Promise<NodePrograms> {
    const folder = t.testdir();
    for (const authority of ['ours', 'other']) {
      const wanted = { folder: `${folder}/${authority}`, nodes: ['n1', 'n2'], servers: ['127.0.0.1'], days: 1 };
      await makeCertificates({ ...wanted, overwrite: false });
    }
    mkdirSync(`${folder}/manifests`);
    const node = new NodePrograms(t, podLink(t), folder);
    node.writeManifest('all', manifests);
    return node;
  }

  writeManifest(name: string, text: string): void {
    writeFileSync(`${this.folder}/manifests/${name}.yaml`, text);
  }

  /** `certificate` is for example `ours/agent-n1`. The agent always trusts our authority. */
  agent(certificate: string, { flags = {}, env = {} }: StartOptions = {}): Promise<Program> {
    const own = { 'node-name': 'n1', 'collector-address': ports.ingest, 'capture-report-every': '1s', ...flags };
    return this.#start('agent', certificate, own, env);
  }

  collector({ flags = {}, env = {} }: StartOptions = {}): Promise<Program> {
    const listen = { 'ingest-listen': ports.ingest, 'api-listen': ports.api };
    const own = { ...listen, 'store-path': `${this.folder}/waybill.duckdb`, ...flags };
    return this.#start('collector', 'ours/collector', own, env);
  }

  async status(): Promise<StatusJson> {
    return (await this.ask('status')) as StatusJson;
  }

  async ask(verb: string, ...more: string[]): Promise<unknown> {
    return JSON.parse(await this.text(verb, '-o', 'json', ...more));
  }

  /** What the verb prints. */
  async text(verb: string, ...more: string[]): Promise<string> {
    const { code, out, err } = await runWaybill([verb, '--collector', `https://${ports.api}`, ...more], {
      before: this.link.onNode,
      env: {
        WAYBILL_TLS_CA: `${this.folder}/ours/ca.crt`,
        WAYBILL_TLS_CERT: `${this.folder}/ours/client.crt`,
        WAYBILL_TLS_KEY: `${this.folder}/ours/client.key`,
      },
    });
    if (code !== 0) throw new Error(`waybill ${verb}: ${err}`);
    return out;
  }

  #start(
    kind: 'agent' | 'collector',
    certificate: string,
    own: Record<string, string>,
    env: Readonly<Record<string, string>>,
  ): Promise<Program> {
    const settings = {
      'tls-ca': `${this.folder}/ours/ca.crt`,
      'tls-cert': `${this.folder}/${certificate}.crt`,
      'tls-key': `${this.folder}/${certificate}.key`,
      'cluster-manifests': `${this.folder}/manifests`,
      'health-listen': '127.0.0.1:0',
      ...own,
    };
    const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
    return Program.start(this.#t, kind, flags, { before: this.link.onNode, env });
  }
}
