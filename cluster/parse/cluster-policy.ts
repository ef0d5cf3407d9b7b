// The policies of the whole cluster, checked as the API server checks them by their CRDs: ClusterNetworkPolicy
// (v1alpha2), AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1), all in the words of the first (rules 18 to 27).
import type { ClusterAction, ClusterPolicy, ClusterRule } from '../../model/kubernetes.ts';
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
import { type Field, pathText } from './field.ts';
import type { Metadata } from './metadata.ts';
import type { PolicyDraft } from './policy-draft.ts';
import { fewItems, someItems } from './values.ts';

type Direction = 'ingress' | 'egress';

/** What the kinds do not have in common. */
type Form = {
  kind: ClusterPolicy['kind'];
  fields: readonly string[];
  tier: (spec: Field) => ClusterPolicy['tier'] | undefined;
  priority: (spec: Field) => number | undefined;
  /** The kind's words for the actions. */
  actions: Readonly<Record<string, ClusterAction>>;
  peers: Readonly<Record<Direction, readonly PeerName[]>>;
  /** Whether `pods` may leave its namespaceSelector out, which means every namespace. */
  namespaceSelectorOptional: boolean;
  portsName: 'protocols' | 'ports';
  port: (item: Field) => PortRead;
  /** Of rules in a direction, and of peers and ports in a rule. */
  itemsMost: number;
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
  itemsMost: 25,
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
  itemsMost: 100,
};

const baselineForm: Form = {
  ...adminForm,
  kind: 'BaselineAdminNetworkPolicy',
  fields: ['subject', 'ingress', 'egress'],
  tier: () => 'Baseline',
  // A cluster has one; where there are ClusterNetworkPolicies of its tier too, it stands with the first of them.
  priority: () => 0,
  actions: { Allow: 'Accept', Deny: 'Deny' },
  peers: { ingress: inCluster, egress: anywhere },
};

const nameCharactersMost = 100;
const priorityMost = 1000;

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
  const spec = object.at('spec');
  const before = spec.faultCount;
  spec.only(...form.fields);
  const misread = !spec.given || spec.faultCount > before;
  // A tier that cannot be read counts as Admin, from where a policy can change most.
  const tier = form.tier(spec) ?? 'Admin';
  const priority = form.priority(spec);
  const whom = subject(spec.at('subject'), form.namespaceSelectorOptional);
  const { kind } = form;
  return {
    sound: {
      kind,
      tier,
      priority: priority ?? 0,
      subject: whom ?? { namespaceSelector: [] },
      ingress: rules(spec.at('ingress'), 'ingress', form),
      egress: rules(spec.at('egress'), 'egress', form),
    },
    read: {
      kind,
      tier,
      directions: misread ? ['ingress', 'egress'] : directionsOf(spec),
      ...(priority !== undefined && { priority }),
      ...(whom !== undefined && { subject: whom }),
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
  if (priority === undefined || (priority >= 0 && priority <= priorityMost)) return priority;
  field.fault(badPriority(priority));
  return undefined;
}

/** Rule 21. A list that cannot be read may hold rules. */
function directionsOf(spec: Field): Direction[] {
  return (['ingress', 'egress'] as const).filter((direction) => {
    const { value, given } = spec.at(direction);
    return given && !(Array.isArray(value) && value.length === 0);
  });
}

function rules(list: Field, direction: Direction, form: Form): ClusterRule[] {
  return fewItems(list, form.itemsMost).map((item) => rule(item, direction, form));
}

function rule(field: Field, direction: Direction, form: Form): ClusterRule {
  const peersName = direction === 'ingress' ? 'from' : 'to';
  field.only('name', 'action', peersName, form.portsName);
  const name = field.at('name').text() ?? '';
  if (name.length > nameCharactersMost) field.at('name').fault(tooLong('name', name.length, nameCharactersMost));
  const action = actionOf(field.at('action'), form.actions);
  const peersField = field.at(peersName);
  if (!peersField.given) peersField.fault(missingField(peersName));
  const peerItems = someItems(peersField, form.itemsMost);
  const peers = peerItems.map((item) => clusterPeer(item, form.peers[direction], form.namespaceSelectorOptional));
  const portItems = someItems(field.at(form.portsName), form.itemsMost);
  const ports = portItems.map((item) => form.port(item));

  checkNames(peerItems, peers, action, form);
  checkNamedPorts(portItems, ports, peers);
  const strange = [...peerItems, ...portItems].find((_, i) => [...peers, ...ports][i] === 'not-understood');
  return {
    name,
    action: action ?? 'Deny',
    peers: peers.filter(isRead),
    ports: ports.filter(isRead),
    ...(strange !== undefined && { notUnderstood: pathText(strange.path) }),
  };
}

function isRead<Part extends object>(part: Part | 'not-understood' | undefined): part is Part {
  return typeof part === 'object';
}

function actionOf(field: Field, known: Form['actions']): ClusterAction | undefined {
  const word = field.text();
  if (!field.given) field.fault(missingField('action'));
  if (word === undefined) return undefined;
  if (!Object.hasOwn(known, word)) field.fault(unknownAction(word, Object.keys(known)));
  return Object.hasOwn(known, word) ? known[word] : undefined;
}

/** Rule 24. */
function checkNames(
  items: readonly Field[],
  peers: readonly PeerRead[],
  action: ClusterAction | undefined,
  form: Form,
) {
  if (action === undefined || action === 'Accept') return;
  const accept = Object.keys(form.actions).find((word) => form.actions[word] === 'Accept')!;
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
    if (!isRead(port) || typeof port.port !== 'string') continue;
    items[index]!.fault(namedPortWithoutPods(port.port, Object.keys(other)[0]!));
  }
}
