// What would have had to match: for each policy that isolates a side which is denied, the rule that came nearest.
import type { LabelSelector, PolicyPeer, PolicyPort, PolicyRule, Requirement } from '../model/kubernetes.ts';
import { protocolName } from '../model/protocol.ts';
import type { Crossing, NearMiss, Party } from '../model/verdict.ts';
import type { Isolation } from './compile.ts';
import { listed } from './listed.ts';
import type { PolicyOptions } from './options.ts';
import { type PodParty, peersMatch } from './peers.ts';
import { type PortMatch, portsMatch } from './ports.ts';

export function nearMisses(
  isolating: readonly Isolation[],
  own: PodParty,
  other: Party,
  crossing: Crossing,
  options: PolicyOptions,
): NearMiss[] {
  return isolating.map((isolation) => nearestOf(isolation, own, other, crossing, options));
}

/** The right peer at a wrong port says more than the wrong peer. */
function nearestOf(
  { policy, rules }: Isolation,
  own: PodParty,
  other: Party,
  crossing: Crossing,
  options: PolicyOptions,
): NearMiss {
  let nearest: NearMiss = { policy, rule: -1, missed: 'no-rules', expected: '' };
  let nearestRank = 0;
  for (let rule = 0; rule < rules.length; rule++) {
    const { peers, ports } = rules[rule]!;
    const peerMissed = peersMatch(peers, own, other, options) === 'no';
    const port = portsMatch(ports, crossing);
    const rank = rankOf(peerMissed, port);
    if (rank <= nearestRank) continue;
    nearestRank = rank;
    const words = wordsOf(rules[rule]!, policy.namespace);
    if (peerMissed) nearest = { policy, rule, missed: 'peer', expected: words.peers };
    else nearest = { policy, rule, missed: port === 'no-such-protocol' ? 'protocol' : 'port', expected: words.ports };
  }
  return nearest;
}

function rankOf(peerMissed: boolean, port: PortMatch): number {
  if (!peerMissed) return port === 'no-such-port' ? 4 : 3;
  return port === 'yes' ? 2 : 1;
}

type Words = { peers: string; ports: string };
const wordsKnown = new WeakMap<PolicyRule, Words>();

function wordsOf(rule: PolicyRule, namespace: string): Words {
  const known = wordsKnown.get(rule);
  if (known !== undefined) return known;
  const words = {
    peers: listed(
      rule.peers.map((peer) => peerText(peer, namespace)),
      ' or ',
    ),
    ports: listed(rule.ports.map(portText), ' or '),
  };
  wordsKnown.set(rule, words);
  return words;
}

function peerText(peer: PolicyPeer, namespace: string): string {
  if ('ipBlock' in peer) {
    const { cidr, except } = peer.ipBlock;
    return `an address in ${cidr.text}${except.length > 0 ? ` except ${listed(except.map((one) => one.text))}` : ''}`;
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
  return listed(selector.map(requirementText), ' and ');
}

function requirementText({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${listed(values)})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} not in (${listed(values)})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `no ${key}`;
  }
}
