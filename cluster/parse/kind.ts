// What an object says of its kind, where that is none that Waybill works with.
import { type Fault, missingField, unknownKind } from './errors.ts';

/** API groups about who may reach whom, with all their kinds: another is a policy that nobody applies. */
const policyGroups: Record<string, readonly string[]> = {
  'networking.k8s.io': ['NetworkPolicy', 'Ingress', 'IngressClass', 'IPAddress', 'ServiceCIDR'],
  'policy.networking.k8s.io': ['ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'],
};

/** Undefined where there may well be such a kind. */
export function strangeKind(object: object): Fault | undefined {
  const { kind, apiVersion } = read(object);
  const group = groupOf(apiVersion);
  const kinds = Object.hasOwn(policyGroups, group) ? policyGroups[group]! : undefined;
  if (kinds === undefined || kinds.includes(String(kind))) return undefined;
  return kind === undefined || kind === null ? missingField('kind') : unknownKind(kind, group, kinds);
}

/** Whether a kind of ours that says that it is of this group is of none: the core group has no such kind either. */
export function isOfOthers(group: string): boolean {
  return group === '' || Object.hasOwn(policyGroups, group);
}

export function isKind(kind: unknown): kind is string {
  return typeof kind === 'string' && /^[A-Za-z][A-Za-z0-9]{0,62}$/.test(kind);
}

const groupName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** `ConfigMap`, `Ingress.networking.k8s.io`; undefined for what is no object of Kubernetes, as a file of values. */
export function kindText(object: unknown): string | undefined {
  if (typeof object !== 'object' || object === null) return undefined;
  const { kind, apiVersion } = read(object);
  if (!isKind(kind) || typeof apiVersion !== 'string') return undefined;
  const group = groupOf(apiVersion);
  if (group === '') return kind;
  return groupName.test(group) ? `${kind}.${group}` : undefined;
}

function read(object: object): { kind: unknown; apiVersion: unknown } {
  const field = (name: string) => (Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined);
  return { kind: field('kind'), apiVersion: field('apiVersion') };
}

/** Empty for the core group, and for what is none. */
export function groupOf(apiVersion: unknown): string {
  return typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
