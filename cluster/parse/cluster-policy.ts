// Cluster policies, validated as their CRDs do: ClusterNetworkPolicy (v1alpha2), AdminNetworkPolicy and
// BaselineAdminNetworkPolicy (v1alpha1). All are read into the terms of ClusterNetworkPolicy (rules 18 to 27).

import { pathText } from '../../model/field-path.ts';
import type { ClusterAction, ClusterPolicy, ClusterPort, ClusterRule, UndefinedPorts } from '../../model/kubernetes.ts';
import type { Direction } from '../../model/verdict.ts';
import { clusterPeer, type PeerName, type PeerRead, subject } from './cluster-peers.ts';
import { type PortRead, portMatch, protocolMatch } from './cluster-ports.ts';
import {
  badBaselineName,
  badPriority,
  missingField,
  namedPortWithoutPods,
  namesNeedAccept,
  tooLong,
  unknownAction,
  unknownTier,
} from './errors.ts';
import type { Field } from './field.ts';
import { hasOnlyObjectFields } from './known-fields.ts';
import type { Metadata } from './metadata.ts';
import type { PolicyDraft } from './policy-draft.ts';
import { itemsUpTo, nonEmptyItems } from './values.ts';

/** The differences between the kinds. */
type Form = {
  kind: ClusterPolicy['kind'];
  fields: readonly string[];
  tier: (spec: Field) => ClusterPolicy['tier'] | undefined;
  priority: (spec: Field) => number | undefined;
  /** The action names of the kind. */
  actions: Readonly<Record<string, ClusterAction>>;
  peers: Readonly<Record<Direction, readonly PeerName[]>>;
  /** Whether `pods` may omit namespaceSelector, which then selects every namespace. */
  namespaceSelectorOptional: boolean;
  portsName: 'protocols' | 'ports';
  port: (item: Field) => PortRead;
  portItems: (list: Field, max: number) => Field[];
  /** Limit for the rules of a direction, and for the peers and ports of a rule. */
  maxItems: number;
};

const inCluster: readonly PeerName[] = ['namespaces', 'pods'];
const anywhere: readonly PeerName[] = [...inCluster, 'nodes', 'networks'];

const clusterForm: Form = {
  kind: 'ClusterNetworkPolicy',
  fields: ['tier', 'priority', 'subject', 'ingress', 'egress'],
  tier: tierOf,
  priority: priorityOf,
  actions: { Accept: 'Accept', Deny: 'Deny', Pass: 'Pass' },
  peers: { ingress: inCluster, egress: [...anywhere, 'domainNames'] },
  namespaceSelectorOptional: true,
  portsName: 'protocols',
  port: protocolMatch,
  portItems: nonEmptyItems,
  maxItems: 25,
};

const adminForm: Form = {
  kind: 'AdminNetworkPolicy',
  fields: ['priority', 'subject', 'ingress', 'egress'],
  tier: () => 'Admin',
  priority: priorityOf,
  actions: { Allow: 'Accept', Deny: 'Deny', Pass: 'Pass' },
  peers: { ingress: inCluster, egress: [...anywhere, 'domainNames'] },
  namespaceSelectorOptional: false,
  portsName: 'ports',
  port: portMatch,
  portItems: itemsUpTo,
  maxItems: 100,
};

const baselineForm: Form = {
  ...adminForm,
  kind: 'BaselineAdminNetworkPolicy',
  fields: ['subject', 'ingress', 'egress'],
  tier: () => 'Baseline',
  // A cluster has only one. Next to ClusterNetworkPolicies of its tier it counts as the highest priority.
  priority: () => 0,
  actions: { Allow: 'Accept', Deny: 'Deny' },
  peers: { ingress: inCluster, egress: anywhere },
};

const maxNameCharacters = 100;
const maxPriority = 1000;

export function clusterNetworkPolicy(object: Field): PolicyDraft {
  return draft(object, clusterForm);
}

export function adminNetworkPolicy(object: Field): PolicyDraft {
  return draft(object, adminForm);
}

export function baselineAdminNetworkPolicy(object: Field, { name, field }: Metadata): PolicyDraft {
  if (name !== '' && name !== 'default') field.at('name').fault(badBaselineName(name));
  return draft(object, baselineForm);
}

function draft(object: Field, form: Form): PolicyDraft {
  const complete = hasOnlyObjectFields(object);
  const spec = object.at('spec');
  const before = spec.faultCount;
  spec.only(...form.fields);
  const invalidSpec = !complete || !spec.given || spec.faultCount > before;
  // An invalid tier counts as Admin, where a policy has the most effect.
  const tier = form.tier(spec) ?? 'Admin';
  const priority = form.priority(spec);
  const policySubject = subject(spec.at('subject'), form.namespaceSelectorOptional);
  const { kind } = form;
  return {
    valid: {
      kind,
      tier,
      priority: priority ?? 0,
      subject: policySubject ?? { namespaceSelector: [] },
      ingress: rules(spec.at('ingress'), 'ingress', form),
      egress: rules(spec.at('egress'), 'egress', form),
    },
    partial: {
      kind,
      tier,
      directions: invalidSpec ? ['ingress', 'egress'] : directionsOf(spec),
      ...(priority !== undefined && { priority }),
      ...(policySubject !== undefined && { subject: policySubject }),
    },
  };
}

function tierOf(spec: Field): ClusterPolicy['tier'] | undefined {
  const field = spec.at('tier');
  const tier = field.text();
  if (tier === 'Admin' || tier === 'Baseline') return tier;
  if (!field.given) field.fault(missingField('tier'));
  else if (tier !== undefined) field.fault(unknownTier(tier));
  return undefined;
}

function priorityOf(spec: Field): number | undefined {
  const field = spec.at('priority');
  const priority = field.whole();
  if (!field.given) field.fault(missingField('priority'));
  if (priority === undefined || (priority >= 0 && priority <= maxPriority)) return priority;
  field.fault(badPriority(priority));
  return undefined;
}

/** Rule 21. An invalid list may hold rules. */
function directionsOf(spec: Field): Direction[] {
  return (['ingress', 'egress'] as const).filter((direction) => {
    const { value, given } = spec.at(direction);
    return given && !(Array.isArray(value) && value.length === 0);
  });
}

function rules(list: Field, direction: Direction, form: Form): ClusterRule[] {
  return itemsUpTo(list, form.maxItems).map((item) => rule(item, direction, form));
}

function rule(field: Field, direction: Direction, form: Form): ClusterRule {
  const peersName = direction === 'ingress' ? 'from' : 'to';
  field.only('name', 'action', peersName, form.portsName);
  const name = field.at('name').text() ?? '';
  if (name.length > maxNameCharacters) field.at('name').fault(tooLong('name', name.length, maxNameCharacters));
  const action = actionOf(field.at('action'), form.actions);
  const peersField = field.at(peersName);
  if (!peersField.given) peersField.fault(missingField(peersName));
  const peerItems = nonEmptyItems(peersField, form.maxItems);
  const peers = peerItems.map((item) => clusterPeer(item, form.peers[direction], form.namespaceSelectorOptional));
  const portsField = field.at(form.portsName);
  const portItems = form.portItems(portsField, form.maxItems);
  const ports = portItems.map((item) => form.port(item));
  const undefinedPorts = undefinedPortsOf(portsField, portItems, ports);

  checkDomainNames(peerItems, peers, action, form);
  checkNamedPorts(portItems, ports, peers);
  const notUnderstood = [...peerItems, ...portItems].find((_, i) => [...peers, ...ports][i] === 'not-understood');
  return {
    name,
    action: action ?? 'Deny',
    peers: peers.filter(isRead),
    ports: ports.filter((port): port is ClusterPort => isRead(port) && !('undefinedFor' in port)),
    ...(undefinedPorts.length > 0 && { undefinedPorts }),
    ...(notUnderstood !== undefined && { notUnderstood: pathText(notUnderstood.path) }),
  };
}

/** Some versions of v1alpha1 accept an empty list. Only a missing list certainly matches every port. */
function undefinedPortsOf(list: Field, items: readonly Field[], ports: readonly PortRead[]): UndefinedPorts[] {
  if (list.given && items.length === 0) return [{ path: pathText(list.path) }];
  return ports.flatMap((port, index) => {
    if (!isRead(port) || !('undefinedFor' in port)) return [];
    const { undefinedFor: protocol } = port;
    return { path: pathText(items[index]!.path), ...(protocol !== undefined && { protocol }) };
  });
}

function isRead<Part extends object>(part: Part | 'not-understood' | undefined): part is Part {
  return typeof part === 'object';
}

function actionOf(field: Field, known: Form['actions']): ClusterAction | undefined {
  const name = field.text();
  if (!field.given) field.fault(missingField('action'));
  if (name === undefined) return undefined;
  if (!Object.hasOwn(known, name)) field.fault(unknownAction(name, Object.keys(known)));
  return Object.hasOwn(known, name) ? known[name] : undefined;
}

/** Rule 24. */
function checkDomainNames(
  items: readonly Field[],
  peers: readonly PeerRead[],
  action: ClusterAction | undefined,
  form: Form,
) {
  if (action === undefined || action === 'Accept') return;
  const accept = Object.keys(form.actions).find((name) => form.actions[name] === 'Accept')!;
  for (const [index, peer] of peers.entries()) {
    if (!isRead(peer) || !('domainNames' in peer)) continue;
    items[index]!.at('domainNames').fault(namesNeedAccept(action, accept));
  }
}

/** Only pods have container ports. */
function checkNamedPorts(items: readonly Field[], ports: readonly PortRead[], peers: readonly PeerRead[]): void {
  const other = peers.filter(isRead).find((peer) => !('pods' in peer));
  if (other === undefined) return;
  for (const [index, port] of ports.entries()) {
    if (!isRead(port) || !('port' in port) || typeof port.port !== 'string') continue;
    items[index]!.fault(namedPortWithoutPods(port.port, Object.keys(other)[0]!));
  }
}
