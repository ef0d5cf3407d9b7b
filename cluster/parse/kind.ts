// The kind of an object that Waybill does not use.
import { type Fault, missingField, unknownKind } from './errors.ts';

/** API groups of network policies, with all their kinds. An object of another kind in them has no effect. */
const policyGroups: Record<string, readonly string[]> = {
  'networking.k8s.io': ['NetworkPolicy', 'Ingress', 'IngressClass', 'IPAddress', 'ServiceCIDR'],
  'policy.networking.k8s.io': ['ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'],
};

/** The fault of an object in a policy API group that does not have its kind. Undefined for other API groups. */
export function policyKindFault(object: object): Fault | undefined {
  const { kind, apiVersion } = read(object);
  const group = groupOf(apiVersion);
  const kinds = Object.hasOwn(policyGroups, group) ? policyGroups[group]! : undefined;
  if (kinds === undefined || kinds.includes(String(kind))) return undefined;
  return kind === undefined || kind === null ? missingField('kind') : unknownKind(kind, group, kinds);
}

/** Whether all kinds of the API group are known here: the core group and the policy groups. */
export function hasKnownKinds(group: string): boolean {
  return group === '' || Object.hasOwn(policyGroups, group);
}

export function isKind(kind: unknown): kind is string {
  return typeof kind === 'string' && /^[A-Za-z][A-Za-z0-9]{0,62}$/.test(kind);
}

const groupName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** `ConfigMap`, `Ingress.networking.k8s.io`; undefined if it is not a Kubernetes object, such as a Helm values file. */
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

/** Empty for the core group, and for an invalid apiVersion. */
export function groupOf(apiVersion: unknown): string {
  return typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
