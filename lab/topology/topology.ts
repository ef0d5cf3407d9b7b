// The topology: the parts of a cluster's network that manifests do not describe. Reads the file by the schema of
// docs/lab.md and reports every problem at once, with its field and line.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { type Address, type Prefix, parseAddress, parsePrefix } from '../../model/address.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { topologyInvalid, topologyUnreadable } from '../system/errors.ts';
import type { DnsZone, PortSpec } from './cluster.ts';
import { dropSchema, type Enforcement, enforcementOf, rejectSchema } from './enforcement.ts';
import { checkedField, patternField } from './pattern-field.ts';
import type { OutsideHost } from './places.ts';
import { domainPattern, type Step, trafficSchema } from './step.ts';

export type Topology = {
  file: string;
  name: string;
  /** Folder of the manifests. */
  manifests: string;
  betweenNodes: 'routed' | 'vxlan';
  /** `bridge`: the pods of a node share a bridge, and reach each other without the node's forward path. */
  onNode: 'routed' | 'bridge';
  underlay: readonly Prefix[];
  nodesListen: readonly PortSpec[];
  silentPods: readonly (PortSpec & { namespace: string; name: string })[];
  /** Pods that are DNS servers, with their records. */
  podZones: readonly { namespace: string; name: string; zone: DnsZone }[];
  /** Services whose connections are masqueraded for every client, as kube-proxy --masquerade-all does. */
  masqueraded: readonly { namespace: string; name: string }[];
  outside: readonly OutsideHost[];
  enforcement: readonly Enforcement[];
  /** Pods to whose end of the veth pair the node redirects packets from its uplink. */
  redirected: readonly { namespace: string; name: string }[];
  traffic: readonly Step[];
  /** Workloads, or policies that select nothing, that Waybill should report as `inert`. */
  inert: readonly { namespace: string; name: string }[];
  /** Settings passed to the collector and the agents as they are; they override the lab's own. */
  waybill: { collector: Record<string, unknown>; agent: Record<string, unknown> };
};

export type ReadTopology = { topology: Topology; lineOf(path: readonly PropertyKey[]): string };

const podPlace = patternField(/^[^/ ]+\/[^/ ]+$/, 'NAMESPACE/NAME');
const portField = patternField(/^\d{1,5}\/(TCP|UDP)$/, 'PORT/TCP or PORT/UDP');
const addressField = checkedField((text) => parseAddress(text) !== undefined, 'an IP address');
const prefixField = checkedField((text) => parsePrefix(text) !== undefined, 'a CIDR block');
const domainName = patternField(domainPattern, 'a domain name in lower case');
const dnsZone = z.record(domainName, z.array(z.union([addressField, domainName])).min(1)).default({});
const hostName = patternField(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/, 'a name of lower-case letters, digits and -');

const topologySchema = z.strictObject({
  manifests: z.string().default('manifests'),
  network: z.strictObject({
    betweenNodes: z.enum(['routed', 'vxlan']).default('routed'),
    onNode: z.enum(['routed', 'bridge']).default('routed'),
    underlay: z.array(prefixField).min(1).max(2),
  }),
  nodes: z.strictObject({ listen: z.array(portField).default([]) }).prefault({}),
  pods: z.record(podPlace, z.strictObject({ silent: z.array(portField).default([]), dns: dnsZone })).default({}),
  services: z.strictObject({ masquerade: z.array(podPlace).default([]) }).prefault({}),
  outside: z
    .array(
      z.strictObject({
        name: hostName,
        addresses: z.array(addressField).min(1),
        listen: z.array(portField).default([]),
        silent: z.array(portField).default([]),
        dns: dnsZone,
      }),
    )
    .default([]),
  drops: z.array(dropSchema).default([]),
  rejects: z.array(rejectSchema).default([]),
  redirects: z.array(podPlace).default([]),
  traffic: trafficSchema.default([]),
  inert: z.array(podPlace).default([]),
  waybill: z
    .strictObject({
      collector: z.record(z.string(), z.unknown()).default({}),
      agent: z.record(z.string(), z.unknown()).default({}),
    })
    .prefault({}),
});

/** Throws a ProblemError with every problem of the file. agreement.ts checks the names in it. */
export async function readTopology(file: string): Promise<ReadTopology> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new ProblemError(topologyUnreadable(file, error.message, 'give the path of a topology file'));
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntaxProblems = document.errors.map((error) =>
    syntaxProblem(file, lines.linePos(error.pos[0]).line, error.message),
  );
  if (syntaxProblems.length > 0) throw new ProblemError(...syntaxProblems);
  const lineOf = (path: readonly PropertyKey[]): string => {
    const field = path.length === 0 ? '' : `, ${path.map(String).join('.')}`;
    for (let length = path.length; length >= 0; length--) {
      const node: unknown = document.getIn(path.slice(0, length), true);
      const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
      if (range) return `${file}:${lines.linePos(range[0]).line}${field}`;
    }
    return `${file}${field}`;
  };
  const parsed = topologySchema.safeParse(document.toJS());
  if (!parsed.success) throw new ProblemError(...parsed.error.issues.map((issue) => schemaProblem(issue, lineOf)));
  return { topology: topologyOf(file, parsed.data), lineOf };
}

function topologyOf(file: string, raw: z.infer<typeof topologySchema>): Topology {
  return {
    file,
    name: resolve(file).split('/').slice(-2).join('/'),
    manifests: resolve(dirname(file), raw.manifests),
    betweenNodes: raw.network.betweenNodes,
    onNode: raw.network.onNode,
    underlay: raw.network.underlay.map((text) => parsePrefix(text)!),
    nodesListen: raw.nodes.listen.map((text) => portOf(text, true)),
    silentPods: Object.entries(raw.pods).flatMap(([pod, { silent }]) =>
      silent.map((text) => ({ ...portOf(text, false), ...namespacedName(pod) })),
    ),
    podZones: Object.entries(raw.pods).flatMap(([pod, { dns }]) =>
      Object.keys(dns).length === 0 ? [] : [{ ...namespacedName(pod), zone: dns }],
    ),
    masqueraded: raw.services.masquerade.map(namespacedName),
    outside: raw.outside.map((host) => ({
      name: host.name,
      addresses: host.addresses.map((text) => parseAddress(text) as Address),
      listen: [
        ...host.listen.map((text) => portOf(text, true)),
        ...host.silent.map((text) => portOf(text, false)),
        ...(Object.keys(host.dns).length === 0 ? [] : dnsPorts(host.dns)),
      ],
    })),
    enforcement: [...raw.drops, ...raw.rejects].map(enforcementOf),
    redirected: raw.redirects.map(namespacedName),
    traffic: raw.traffic,
    inert: raw.inert.map(namespacedName),
    waybill: raw.waybill,
  };
}

/** The ports of a DNS server with these records. */
export function dnsPorts(names: DnsZone): PortSpec[] {
  return (['UDP', 'TCP'] as const).map((protocol) => ({ port: 53, protocol, answers: true, names }));
}

function portOf(text: string, answers: boolean): PortSpec {
  const [port, protocol] = text.split('/');
  return { port: Number(port), protocol: protocol as 'TCP' | 'UDP', answers };
}

function namespacedName(text: string): { namespace: string; name: string } {
  const [namespace, name] = text.split('/');
  return { namespace: namespace!, name: name! };
}

function syntaxProblem(file: string, line: number, message: string): Problem {
  return topologyInvalid(`${file}:${line}`, message.split('\n')[0]!, 'fix the YAML syntax');
}

function schemaProblem(issue: z.core.$ZodIssue, lineOf: (path: readonly PropertyKey[]) => string): Problem {
  if (issue.code === 'unrecognized_keys') {
    const fault = `unknown field ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
    return topologyInvalid(lineOf(issue.path), fault, 'see docs/lab.md for the names');
  }
  const sentence = issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
  return topologyInvalid(lineOf(issue.path), sentence, 'see docs/lab.md for the values');
}
