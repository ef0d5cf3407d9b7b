// What the API server accepts as a NetworkPolicy (Kubernetes 1.35): the types of k8s.io/api/networking/v1, and the rules of
// its validation, written here a second time.
import { type CrdSchema, compiled, isCidr, isDnsSubdomain } from './crd-schema.ts';

const strings = { type: 'array', items: { type: 'string' } };
const selector = {
  properties: {
    matchLabels: { type: 'object', additionalProperties: { type: 'string' } },
    matchExpressions: {
      type: 'array',
      items: {
        type: 'object',
        properties: { key: { type: 'string' }, operator: { type: 'string' }, values: strings },
      },
    },
  },
  type: 'object',
};
const peers = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      podSelector: selector,
      namespaceSelector: selector,
      ipBlock: { type: 'object', properties: { cidr: { type: 'string' }, except: strings } },
    },
  },
};
const ports = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      protocol: { type: 'string' },
      port: { anyOf: [{ type: 'integer' }, { type: 'string' }] },
      endPort: { type: 'integer' },
    },
  },
};
const rules = (name: string) => ({
  type: 'array',
  items: { type: 'object', properties: { [name]: peers, ports } },
});
const types = compiled({
  type: 'object',
  properties: {
    apiVersion: {},
    kind: {},
    metadata: { type: 'object', properties: { name: { type: 'string' }, namespace: { type: 'string' } } },
    spec: {
      type: 'object',
      properties: { podSelector: selector, policyTypes: strings, ingress: rules('from'), egress: rules('to') },
    },
  },
});

type Selector = {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key?: string; operator?: string; values?: string[] }[];
};
type Peer = { podSelector?: Selector; namespaceSelector?: Selector; ipBlock?: { cidr?: string; except?: string[] } };
type Port = { protocol?: string; port?: number | string; endPort?: number };
type Spec = {
  podSelector?: Selector;
  policyTypes?: string[];
  ingress?: { from?: Peer[]; ports?: Port[] }[];
  egress?: { to?: Peer[]; ports?: Port[] }[];
};

export const networkPolicySchema: CrdSchema = (object) => {
  const faults = types(object);
  if (faults.length > 0) return faults;
  const { spec = {} } = object as { spec?: Spec };
  const each = [...(spec.ingress ?? []), ...(spec.egress ?? [])];
  const allPeers = [
    ...(spec.ingress ?? []).flatMap(({ from = [] }) => from),
    ...(spec.egress ?? []).flatMap(({ to = [] }) => to),
  ];
  const policyTypes = spec.policyTypes ?? [];
  const checks: Record<string, boolean> = {
    podSelector: isSelector(spec.podSelector ?? {}),
    policyTypes: policyTypes.length <= 2 && policyTypes.every((type) => ['Ingress', 'Egress'].includes(type)),
    peers: allPeers.every(isPeer),
    ports: each.every(({ ports: list = [] }) => list.every(isPort)),
  };
  return Object.keys(checks).filter((name) => !checks[name]);
};

function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer): boolean {
  const selectors = [podSelector, namespaceSelector].filter((one) => one !== undefined);
  if (ipBlock === undefined) return selectors.length > 0 && selectors.every(isSelector);
  const { cidr = '', except = [] } = ipBlock;
  return selectors.length === 0 && isCidr(cidr) && except.every((one) => isCidr(one) && isWithin(one, cidr));
}

/** For the IPv4 blocks of octets in the mutations. */
function isWithin(inner: string, outer: string): boolean {
  const [[innerAddress, innerBits], [outerAddress, outerBits]] = [inner.split('/'), outer.split('/')];
  const octets = Math.floor(Number(outerBits) / 8);
  const start = (address: string) => address.split('.').slice(0, octets).join('.');
  return Number(innerBits) > Number(outerBits) && start(innerAddress!) === start(outerAddress!);
}

function isPort({ protocol = 'TCP', port, endPort }: Port): boolean {
  if (!['TCP', 'UDP', 'SCTP'].includes(protocol)) return false;
  if (typeof port === 'string' && !(/^(?=.*[a-z])[a-z0-9-]{1,15}$/.test(port) && !/^-|--|-$/.test(port))) return false;
  if (typeof port === 'number' && !isPortNumber(port)) return false;
  return endPort === undefined || (typeof port === 'number' && isPortNumber(endPort) && endPort >= port);
}

function isPortNumber(port: number): boolean {
  return port >= 1 && port <= 65535;
}

function isSelector({ matchLabels = {}, matchExpressions = [] }: Selector): boolean {
  const labels = Object.entries(matchLabels).every(([key, value]) => isKey(key) && isValue(value));
  return labels && matchExpressions.every(isRequirement);
}

function isRequirement({
  key = '',
  operator,
  values = [],
}: NonNullable<Selector['matchExpressions']>[number]): boolean {
  const takesValues = operator === 'In' || operator === 'NotIn';
  if (!takesValues && operator !== 'Exists' && operator !== 'DoesNotExist') return false;
  return isKey(key) && takesValues === values.length > 0 && values.every(isValue);
}

function isKey(key: string): boolean {
  const [name = '', prefix, ...more] = key.split('/').reverse();
  return more.length === 0 && (prefix === undefined || isDnsSubdomain(prefix)) && name !== '' && isValue(name);
}

function isValue(value: string): boolean {
  return value === '' || (value.length <= 63 && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(value));
}
