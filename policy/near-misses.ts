// For each policy that isolates a denied side: the rule that nearly matched, and the part that did not match.
import type { LabelSelector, PolicyPeer, PolicyPort, PolicyRule, Requirement } from '../model/kubernetes.ts';
import { protocolName } from '../model/protocol.ts';
import type { Flow, NearMiss, Party } from '../model/verdict.ts';
import type { Isolation } from './compile.ts';
import { listText } from './list-text.ts';
import type { PolicyOptions } from './options.ts';
import { type PodParty, peersMatch } from './peers.ts';
import { type PortMatch, portsMatch } from './ports.ts';

export function nearMisses(
  isolating: readonly Isolation[],
  own: PodParty,
  other: Party,
  flow: Flow,
  options: PolicyOptions,
): NearMiss[] {
  return isolating.map((isolation) => nearestOf(isolation, own, other, flow, options));
}

/** A rule with the right peer and a wrong port ranks above a rule with a wrong peer. */
function nearestOf(
  { policy, rules }: Isolation,
  own: PodParty,
  other: Party,
  flow: Flow,
  options: PolicyOptions,
): NearMiss {
  let nearest: NearMiss = { policy, rule: -1, mismatch: 'no-rules', expected: '' };
  let nearestRank = 0;
  for (let rule = 0; rule < rules.length; rule++) {
    const { peers, ports } = rules[rule]!;
    const peerMismatch = peersMatch(peers, own, other, options) === 'no';
    const port = portsMatch(ports, flow);
    const rank = rankOf(peerMismatch, port);
    if (rank <= nearestRank) continue;
    nearestRank = rank;
    const text = ruleTextOf(rules[rule]!, policy.namespace);
    if (peerMismatch) nearest = { policy, rule, mismatch: 'peer', expected: text.peers };
    else nearest = { policy, rule, mismatch: port === 'no-such-protocol' ? 'protocol' : 'port', expected: text.ports };
  }
  return nearest;
}

function rankOf(peerMismatch: boolean, port: PortMatch): number {
  if (!peerMismatch) return port === 'no-such-port' ? 4 : 3;
  return port === 'yes' ? 2 : 1;
}

type RuleText = { peers: string; ports: string };
const ruleTexts = new WeakMap<PolicyRule, RuleText>();

function ruleTextOf(rule: PolicyRule, namespace: string): RuleText {
  const cached = ruleTexts.get(rule);
  if (cached !== undefined) return cached;
  const text = {
    peers: listText(
      rule.peers.map((peer) => peerText(peer, namespace)),
      ' or ',
    ),
    ports: listText(rule.ports.map(portText), ' or '),
  };
  ruleTexts.set(rule, text);
  return text;
}

function peerText(peer: PolicyPeer, namespace: string): string {
  if ('ipBlock' in peer) {
    const { cidr, except } = peer.ipBlock;
    return `an address in ${cidr.text}${except.length > 0 ? ` except ${listText(except.map((one) => one.text))}` : ''}`;
  }
  const pods = peer.podSelector?.length ? `a pod with ${selectorText(peer.podSelector)}` : 'any pod';
  if (peer.namespaceSelector === undefined) return `${pods} in namespace ${namespace}`;
  if (peer.namespaceSelector.length === 0) return `${pods} in any namespace`;
  return `${pods} in a namespace with ${selectorText(peer.namespaceSelector)}`;
}

function portText({ protocol, port, endPort }: PolicyPort): string {
  const name = protocolName(protocol);
  if (port === undefined) return `any ${name} port`;
  if (typeof port === 'string') return `the ${name} port that the responder names ${port}`;
  return endPort === undefined || endPort === port ? `${name} ${port}` : `${name} ${port} to ${endPort}`;
}

function selectorText(selector: LabelSelector): string {
  return listText(selector.map(requirementText), ' and ');
}

function requirementText({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${listText(values)})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} not in (${listText(values)})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `no ${key}`;
  }
}
