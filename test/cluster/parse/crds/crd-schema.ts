// The schema of a CRD as the API server evaluates it: OpenAPI by ajv, and each CEL rule by a function. A rule without one is
// an error, so a new version of a CRD cannot pass unnoticed. Unknown fields are refused, as kubectl asks for by default.
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

type Fields = Record<string, unknown>;

const celRules: Record<string, (self: unknown) => boolean> = {
  "self.metadata.name == 'default'": (self) => fieldsOf(fieldsOf(self).metadata).name === 'default',
  'self.start < self.end': (self) => Number(fieldsOf(self).start) < Number(fieldsOf(self).end),
  'isCIDR(self)': (self) => isCidr(String(self)),
  '!(self.to.exists(peer, has(peer.networks) || has(peer.nodes) || has(peer.domainNames)) && has(self.ports) && self.ports.exists(port, has(port.namedPort)))':
    (self) => !(hasOutsider(self) && hasIn(self, 'ports', 'namedPort')),
  '!(self.to.exists(peer, has(peer.networks) || has(peer.nodes)) && has(self.ports) && self.ports.exists(port, has(port.namedPort)))':
    (self) => !(hasOutsider(self) && hasIn(self, 'ports', 'namedPort')),
  '!(self.to.exists(peer, has(peer.networks) || has(peer.nodes) || has(peer.domainNames)) && has(self.protocols) && self.protocols.exists(protocol, has(protocol.destinationNamedPort)))':
    (self) => !(hasOutsider(self) && hasIn(self, 'protocols', 'destinationNamedPort')),
};

function hasOutsider(rule: unknown): boolean {
  return ['networks', 'nodes', 'domainNames'].some((name) => hasIn(rule, 'to', name));
}

/** Whether an item of the list has the field. Values of a wrong type have none: the schema refuses them anyway. */
function hasIn(self: unknown, list: string, field: string): boolean {
  const { [list]: items } = fieldsOf(self);
  return Array.isArray(items) && items.some((item) => field in fieldsOf(item));
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** As Kubernetes' CEL library: Go's netip.ParsePrefix, without IPv4 in IPv6 notation. */
export function isCidr(text: string): boolean {
  const [, address = '', bits = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  if (isIPv4(address)) return Number(bits) <= 32;
  return isIPv6(address) && !address.includes('%') && !address.includes('.') && Number(bits) <= 128;
}

/** The names of the faults that the schema finds; empty: the API server accepts the object. */
export type CrdSchema = (object: unknown) => string[];

export function crdSchema(file: string): CrdSchema {
  const schema = parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as object;
  return compiled(schema);
}

export function compiled(schema: object): CrdSchema {
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    validateFormats: false,
    unicodeRegExp: false,
    useDefaults: true,
  });
  ajv.addKeyword({
    keyword: 'x-kubernetes-validations',
    validate: (rules: readonly { rule: string }[], self: unknown) =>
      rules.every(({ rule }) => {
        const evaluate = celRules[rule];
        if (evaluate === undefined) throw new Error(`no function for the CEL rule ${rule}`);
        return evaluate(self);
      }),
  });
  ajv.addKeyword({
    keyword: 'x-kubernetes-list-type',
    validate: (type: string, data: unknown) =>
      type !== 'set' || !Array.isArray(data) || new Set(data).size === data.length,
  });
  const validate = ajv.compile(closed(schema) as object);
  return (object) => {
    const name = fieldsOf(fieldsOf(object).metadata).name;
    const faults = isDnsSubdomain(name) ? [] : ['metadata.name'];
    if (validate(structuredClone(object))) return faults; // defaults are set in it
    return [...faults, ...validate.errors!.map((error) => `${error.instancePath} ${error.keyword}`)];
  };
}

/** The API server checks it before the schema. */
export function isDnsSubdomain(name: unknown): boolean {
  const labels = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
  return typeof name === 'string' && name.length <= 253 && labels.test(name);
}

/** No other fields than those of `properties`; metadata has its own schema in the API server. */
function closed(schema: unknown, key = ''): unknown {
  if (Array.isArray(schema)) return schema.map((one) => closed(one));
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value, name)]));
  const isClosed = 'properties' in copy && !('additionalProperties' in copy) && key !== 'properties';
  return isClosed ? { ...copy, additionalProperties: false } : copy;
}
