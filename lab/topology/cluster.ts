// Nodes, pods and Services of the manifests as a kubelet, a CNI and kube-proxy read them: addresses and ports only.
import { z } from 'zod';
import { type Address, type Prefix, parseAddress, parsePrefix } from '../../model/address.ts';
import { errorText, type Problem } from '../../model/problem.ts';
import { manifestInvalid } from '../system/errors.ts';
import { type Manifest, manifestName } from './manifests.ts';

/** The records of a DNS server: for each name its addresses, or the one name that it is an alias of. */
export type DnsZone = Readonly<Record<string, readonly string[]>>;

/** If `answers` is false, the program receives and never answers. With `names` it is a DNS server with these records. */
export type PortSpec = { port: number; protocol: 'TCP' | 'UDP'; answers: boolean; names?: DnsZone };

export type LabNode = { name: string; addresses: readonly Address[]; podPrefixes: readonly Prefix[] };

export type LabPod = {
  namespace: string;
  name: string;
  node: string;
  hostNetwork: boolean;
  addresses: readonly Address[];
  listen: readonly PortSpec[];
};

export type LabServicePort = {
  protocol: 'TCP' | 'UDP';
  port: number;
  /** 0 if it has no node port. */
  nodePort: number;
  endpoints: readonly { address: Address; port: number }[];
};

export type LabService = {
  namespace: string;
  name: string;
  clusterAddresses: readonly Address[];
  /** External and load balancer addresses, which kube-proxy also translates. */
  outerAddresses: readonly Address[];
  /** externalTrafficPolicy: Local: node ports reach endpoints of the same node only, and keep the client's address. */
  externalLocal: boolean;
  ports: readonly LabServicePort[];
};

export type LabCluster = { nodes: readonly LabNode[]; pods: readonly LabPod[]; services: readonly LabService[] };

const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (parsed === undefined) context.addIssue({ code: 'custom', message: `"${text}" is not an IP address` });
  return parsed ?? z.NEVER;
});
const prefix = z.string().transform((text, context) => {
  const parsed = parsePrefix(text);
  if (parsed === undefined) context.addIssue({ code: 'custom', message: `"${text}" is not a CIDR block` });
  return parsed ?? z.NEVER;
});
const portNumber = z.int().min(1).max(65535);
const protocol = z.enum(['TCP', 'UDP', 'SCTP']).default('TCP');

const nodeSchema = z.object({
  spec: z.object({ podCIDRs: z.array(prefix).min(1) }),
  status: z.object({
    addresses: z.array(z.object({ type: z.string(), address: z.string() })).min(1),
  }),
});

const podSchema = z.object({
  spec: z.object({
    nodeName: z.string().default(''),
    hostNetwork: z.boolean().default(false),
    containers: z
      .array(z.object({ ports: z.array(z.object({ containerPort: portNumber, protocol })).default([]) }))
      .default([]),
  }),
  status: z
    .object({ phase: z.string().default('Running'), podIPs: z.array(z.object({ ip: address })).default([]) })
    .prefault({}),
});

const serviceSchema = z.object({
  spec: z.object({
    clusterIP: z.string().optional(),
    clusterIPs: z.array(z.string()).optional(),
    externalIPs: z.array(address).default([]),
    externalTrafficPolicy: z.enum(['Cluster', 'Local']).default('Cluster'),
    ports: z
      .array(z.object({ name: z.string().default(''), port: portNumber, protocol, nodePort: portNumber.optional() }))
      .default([]),
  }),
  status: z
    .object({
      loadBalancer: z.object({ ingress: z.array(z.object({ ip: address.optional() })).default([]) }).prefault({}),
    })
    .prefault({}),
});

const sliceSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(address),
        conditions: z.object({ ready: z.boolean().default(true) }).prefault({}),
      }),
    )
    .default([]),
  ports: z.array(z.object({ name: z.string().default(''), port: portNumber, protocol })).default([]),
});

type Slice = z.infer<typeof sliceSchema> & { namespace: string };

/** Ignores other kinds, and pods without a node or that have ended: they have no place in the network. */
export function readCluster(manifests: readonly Manifest[]): { cluster: LabCluster; problems: Problem[] } {
  const problems: Problem[] = [];
  const read = <Schema extends z.ZodType, Made>(
    kind: string,
    schema: Schema,
    make: (object: z.infer<Schema>, manifest: Manifest) => Made[],
  ): Made[] =>
    manifests
      .filter((manifest) => manifest.kind === kind)
      .flatMap((manifest) => {
        const parsed = schema.safeParse(manifest.object);
        if (parsed.success) return make(parsed.data, manifest);
        problems.push(...parsed.error.issues.map((issue) => manifestProblem(manifest, issue)));
        return [];
      });
  const slices = read('EndpointSlice', sliceSchema, (slice, { namespace }) => [{ ...slice, namespace }]);
  return {
    cluster: {
      nodes: read('Node', nodeSchema, nodeOf),
      pods: read('Pod', podSchema, podOf),
      services: read('Service', serviceSchema, (service, manifest) => serviceOf(service, manifest, slices)),
    },
    problems,
  };
}

function nodeOf({ spec, status }: z.infer<typeof nodeSchema>, { name }: Manifest): LabNode[] {
  const internal = status.addresses.filter((one) => one.type === 'InternalIP').map((one) => parseAddress(one.address));
  return [{ name, addresses: internal.filter((one) => one !== undefined), podPrefixes: spec.podCIDRs }];
}

function podOf({ spec, status }: z.infer<typeof podSchema>, { namespace, name }: Manifest): LabPod[] {
  if (spec.nodeName === '' || status.phase === 'Succeeded' || status.phase === 'Failed') return [];
  const listen = spec.containers.flatMap((container) =>
    container.ports.flatMap(({ containerPort, protocol }) =>
      protocol === 'SCTP' ? [] : [{ port: containerPort, protocol, answers: true }],
    ),
  );
  const addresses = status.podIPs.map((one) => one.ip);
  return [{ namespace, name, node: spec.nodeName, hostNetwork: spec.hostNetwork, addresses, listen }];
}

function serviceOf(
  { spec, status }: z.infer<typeof serviceSchema>,
  { namespace, name }: Manifest,
  slices: readonly Slice[],
): LabService[] {
  const own = slices.filter(
    (slice) => slice.namespace === namespace && slice.metadata.labels['kubernetes.io/service-name'] === name,
  );
  const clusterAddresses = (spec.clusterIPs ?? [spec.clusterIP ?? ''])
    .map((text) => parseAddress(text))
    .filter((one) => one !== undefined);
  const ports = spec.ports.flatMap((port): LabServicePort[] => {
    if (port.protocol === 'SCTP') return [];
    const endpoints = own.flatMap((slice) => {
      const target = slice.ports.find((one) => one.name === port.name && one.protocol === port.protocol);
      const ready = slice.endpoints.filter((one) => one.conditions.ready).flatMap((one) => one.addresses);
      return target === undefined ? [] : ready.map((one) => ({ address: one, port: target.port }));
    });
    return [{ protocol: port.protocol, port: port.port, nodePort: port.nodePort ?? 0, endpoints }];
  });
  const balanced = status.loadBalancer.ingress.flatMap((one) => (one.ip === undefined ? [] : [one.ip]));
  return [
    {
      namespace,
      name,
      clusterAddresses,
      outerAddresses: [...spec.externalIPs, ...balanced],
      externalLocal: spec.externalTrafficPolicy === 'Local',
      ports,
    },
  ];
}

function manifestProblem(manifest: Manifest, issue: z.core.$ZodIssue): Problem {
  const place = `${manifestName(manifest)} (${manifest.file}, ${issue.path.join('.')})`;
  return manifestInvalid(place, errorText(issue), 'write it as kubectl get -o yaml prints it');
}
