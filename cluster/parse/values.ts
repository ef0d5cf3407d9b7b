// Parses values that several kinds have: times, addresses, ports, protocols, labels.
import { type Address, type Prefix, parseAddress, parsePrefix } from '../../model/address.ts';
import type { ContainerPort, Labels } from '../../model/kubernetes.ts';
import { hasPorts, parseProtocol, TCP } from '../../model/protocol.ts';
import {
  badAddress,
  badCidr,
  badLabelKey,
  badLabelValue,
  badPort,
  badPortName,
  badTime,
  emptyList,
  missingField,
  tooManyItems,
  unknownProtocol,
} from './errors.ts';
import type { Field } from './field.ts';

/** µs since the epoch; 0 if it is missing. */
export function timeUs(field: Field): number {
  const text = field.text();
  if (text === undefined || text === '') return 0;
  const ms = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms * 1000;
  field.fault(badTime(text));
  return 0;
}

/** Each address once, in order, without missing and empty fields. */
export function addresses(fields: readonly Field[]): Address[] {
  const found = new Set<Address>();
  for (const field of fields) {
    const text = field.text();
    if (text === undefined || text === '') continue;
    const address = parseAddress(text);
    if (address === undefined) field.fault(badAddress(text));
    else found.add(address);
  }
  return [...found];
}

export function prefix(field: Field): Prefix | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const parsed = parsePrefix(text);
  if (parsed === undefined) field.fault(badCidr(text));
  return parsed;
}

/** TCP if it is missing, which is the API server's default. The API server accepts only capitals. */
export function protocol(field: Field): number {
  const text = field.text();
  if (text === undefined) return TCP;
  const parsed = /^[A-Z]+$/.test(text) ? parseProtocol(text) : undefined;
  if (parsed !== undefined && hasPorts(parsed)) return parsed;
  field.fault(unknownProtocol(text));
  return TCP;
}

export function portNumber(field: Field, name: string): number | undefined {
  const port = field.whole();
  if (port === undefined || (port >= 1 && port <= 65535)) return port;
  field.fault(badPort(name, port));
  return undefined;
}

/** RFC 6335 5.1, in lower case. */
export function portName(field: Field): string | undefined {
  const name = field.text();
  if (name === undefined) return undefined;
  if (/^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return name;
  field.fault(badPortName(name));
  return undefined;
}

/** More than `max` items are a fault. */
export function itemsUpTo(field: Field, max: number): Field[] {
  const items = field.items();
  if (items.length > max) field.fault(tooManyItems(items.length, max));
  return items;
}

/** Like `itemsUpTo`; an empty list is a fault too. A missing list is not. */
export function nonEmptyItems(field: Field, max: number): Field[] {
  const items = itemsUpTo(field, max);
  if (Array.isArray(field.value) && items.length === 0) field.fault(emptyList());
  return items;
}

/** Ports of the containers and sidecars. A sidecar is an init container that keeps running (restartPolicy Always). */
export function containerPorts(podSpec: Field): ContainerPort[] {
  const sidecars = podSpec
    .at('initContainers')
    .items()
    .filter((container) => container.at('restartPolicy').value === 'Always');
  const containers = [...podSpec.at('containers').items(), ...sidecars];
  return containers.flatMap((container) =>
    container
      .at('ports')
      .items()
      .flatMap((port) => containerPort(port) ?? []),
  );
}

function containerPort(field: Field): ContainerPort | undefined {
  const number = field.at('containerPort');
  if (!number.given) number.fault(missingField('containerPort'));
  const port = portNumber(number, 'containerPort');
  const read = { name: field.at('name').text() ?? '', protocol: protocol(field.at('protocol')) };
  const hostPort = hostPortOf(field);
  return port === undefined ? undefined : { ...read, port, ...(hostPort !== undefined && { hostPort }) };
}

/** The API server writes 0 for no host port. An unspecified address means every address. */
function hostPortOf(field: Field): ContainerPort['hostPort'] {
  const number = field.at('hostPort');
  const port = number.value === 0 ? undefined : portNumber(number, 'hostPort');
  if (port === undefined) return undefined;
  const [ip] = addresses([field.at('hostIP')]);
  return ip === undefined || ip === '0.0.0.0' || ip === '::' ? { port } : { port, ip };
}

/** The result has no prototype, so a key such as `constructor` finds only a label. */
export function labels(field: Field): Labels {
  const read: Record<string, string> = Object.create(null);
  for (const [key, value] of field.entries()) {
    const text = labelValue(value);
    if (isLabelKey(value, key) && text !== undefined) read[key] = text;
  }
  return read;
}

/** Whether the key is valid; if not, that is a fault of `field`. */
export function isLabelKey(field: Field, key: string): boolean {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  if ((slash < 0 || isDnsSubdomain(key.slice(0, slash))) && name !== '' && labelText.test(name)) return true;
  field.fault(badLabelKey(key));
  return false;
}

/** A null value, written as an empty value in YAML, is the empty string. */
export function labelValue(field: Field): string | undefined {
  if (!field.given) return '';
  const value = field.text();
  if (value === undefined || labelText.test(value)) return value;
  field.fault(badLabelValue(value));
  return undefined;
}

const labelText = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** RFC 1123, as the API server validates it: at most 63 lower-case letters, digits and - */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/** RFC 1123, as the API server validates it: at most 253 lower-case letters, digits, - and . */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text);
}
