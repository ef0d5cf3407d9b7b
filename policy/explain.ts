// Explains a verdict in words and as JSON (docs/json.md): for each side the rule that decided it, or the rules that nearly
// matched.

import { escapeControls } from '../model/escape.ts';
import { resourceName } from '../model/kubernetes.ts';
import { protocolName } from '../model/protocol.ts';
import { kindTitle } from '../model/recognised-policy.ts';
import type {
  Alternative,
  Direction,
  NamesGap,
  NearMiss,
  NoEndpoints,
  Party,
  PolicyRef,
  RuleRef,
  SideJson,
  SideVerdict,
  StaleKind,
  UnknownReason,
  Verdict,
} from '../model/verdict.ts';
import { listText } from './list-text.ts';
import { type DeniedSide, neededRule } from './needed-rule.ts';

/**
 * `reason` explains why the verdict is unknown. `undefinedByApi`: the NetworkPolicy API does not cover the protocol, so
 * CNIs differ (rule 11).
 */
export type VerdictJson = {
  verdict: Verdict['verdict'];
  reason?: string;
  undefinedByApi?: true;
  /** Policies that may still refuse the connection after the network delivered it. */
  afterNetwork?: readonly string[];
  sides: readonly SideJson[];
};

export function verdictJson(verdict: Verdict): VerdictJson {
  const why = verdict.why ?? verdict.sides.find((side) => side.verdict === 'unknown')?.why;
  return {
    verdict: verdict.verdict,
    ...(verdict.verdict === 'unknown' && why !== undefined ? { reason: reasonText(why) } : {}),
    ...(verdict.undefinedByApi ? { undefinedByApi: true } : {}),
    ...(verdict.afterNetwork && { afterNetwork: verdict.afterNetwork.map(policyText) }),
    sides: verdict.sides.map((side) => sideJson(side, alternativeSidesOf(side, verdict.alternatives ?? []))),
  };
}

function sideJson(side: SideVerdict, alternatives: readonly AlternativeSide[]): SideJson {
  const common = {
    side: side.side,
    verdict: side.verdict,
    why: alternativesText(side, alternatives) ?? sideText(side),
  };
  const denied =
    side.verdict === 'denied'
      ? [side, ...alternatives.flatMap((alternative) => alternative.side ?? [])].filter(isDenied)
      : [];
  const isolatedBy = denied.flatMap((one) => ('isolatedBy' in one ? one.isolatedBy.map(policyText) : []));
  const needs = needsText(denied);
  return {
    ...common,
    ...(isolatedBy.length > 0 && { isolatedBy: [...new Set(isolatedBy)] }),
    ...('decidedBy' in side && { decidedBy: decidedByJson(side.decidedBy) }),
    ...(needs !== undefined && { needs }),
  };
}

function decidedByJson(by: RuleRef): NonNullable<SideJson['decidedBy']> {
  if (by.tier === 'always') return { tier: 'always', reason: by.reason };
  return { tier: by.tier, policy: policyText(by.policy), rule: by.rule };
}

function isDenied(side: SideVerdict): side is DeniedSide {
  return side.verdict === 'denied';
}

/** The name of a candidate and the verdict of its side; undefined if that end is not a pod. */
type AlternativeSide = { name: string; side: SideVerdict | undefined };

function alternativeSidesOf({ side: direction }: SideVerdict, alternatives: readonly Alternative[]): AlternativeSide[] {
  const initiators = new Set(alternatives.map(({ initiator }) => partyText(initiator)));
  const responders = new Set(alternatives.map(({ responder }) => partyText(responder)));
  return alternatives.map(({ initiator, responder, verdict }) => {
    const varying = [...(initiators.size > 1 ? [initiator] : []), ...(responders.size > 1 ? [responder] : [])];
    const names = varying.length > 0 ? varying : [direction === 'egress' ? initiator : responder];
    return { name: names.map(partyText).join(' -> '), side: verdict.sides.find(({ side }) => side === direction) };
  });
}

/** Undefined if all candidates have the same verdict for the same reason. */
function alternativesText(side: SideVerdict, alternatives: readonly AlternativeSide[]): string | undefined {
  const verdictAndText = (alternative: AlternativeSide) =>
    [alternative.side?.verdict ?? 'undeclared', alternative.side ? sideText(alternative.side) : noPodText] as const;
  const byText = Map.groupBy(alternatives, (alternative) => `(${verdictAndText(alternative).join('): ')}`);
  const [only, another] = byText.keys();
  if (only === undefined || (another === undefined && verdictAndText(alternatives[0]!)[0] === side.verdict))
    return undefined;
  const texts = [...byText].map(([text, group]) => `${listText([...new Set(group.map(({ name }) => name))])} ${text}`);
  return listText(
    [...texts, ...(another === undefined ? ['the other candidates are not known'] : [])],
    '; ',
    maxListed,
  );
}

const noPodText = 'not a pod, so no policy selects it';

function partyText(party: Party): string {
  return party.kind === 'address' ? party.address : `${party.namespace}/${party.name}`;
}

/** The rules that would allow it; undefined if no rule can. */
function needsText(denied: readonly DeniedSide[]): string | undefined {
  const texts = new Set<string>();
  for (const side of denied) {
    const needed = neededRule(side);
    if (needed === undefined) return undefined;
    const { policy, insertBefore, text } = needed;
    const place =
      insertBefore === undefined
        ? policyText(policy)
        : `${policyText(policy)} before spec.${side.side}[${insertBefore}]`;
    texts.add(`a rule in ${place} that ${text}`);
  }
  return texts.size === 0 ? undefined : `needs ${listText([...texts], ' and ', maxListed)}`;
}

function sideText(side: SideVerdict): string {
  switch (side.verdict) {
    case 'undeclared':
      return undeclaredText(side);
    case 'unknown':
      return reasonText(side.why);
    case 'denied':
      if (!('isolatedBy' in side)) return `denied by ${ruleText(side)}`;
      return `isolated, and no rule matches: ${listText(
        side.nearest.map((miss) => nearMissText(miss, side.side)),
        '; ',
        maxListed,
      )}`;
    case 'allowed':
      return side.decidedBy.tier === 'always' ? alwaysTexts[side.decidedBy.reason] : `allowed by ${ruleText(side)}`;
  }
}

function undeclaredText({ side, passMatches = [], unmatched = [] }: SideVerdict & { verdict: 'undeclared' }): string {
  if (passMatches.length > 0) {
    const texts = passMatches.map(
      ({ rule, sure }) => `${placeText(side, rule)} ${sure ? 'passes it on' : 'may pass it on'}`,
    );
    return `no rule decides: ${listText(texts, ' and ')}, and no NetworkPolicy or Baseline rule covers it`;
  }
  if (unmatched.length === 0) return 'not isolated: no policy selects it';
  return `not isolated: no ${side} rule of ${policiesText(unmatched)} matches`;
}

function placeText(side: Direction, rule: RuleRef): string {
  return rule.tier === 'always' ? alwaysTexts[rule.reason] : `${policyText(rule.policy)} spec.${side}[${rule.rule}]`;
}

function ruleText({ side, decidedBy, notUnderstood }: DecidedSide): string {
  if (decidedBy.tier === 'always') return alwaysTexts[decidedBy.reason];
  const place = `${policyText(decidedBy.policy)}, spec.${side}[${decidedBy.rule}]`;
  return notUnderstood === undefined
    ? place
    : `${place}: ${notUnderstood} has an unknown form, so the rule denies everything`;
}

type DecidedSide = { side: Direction; decidedBy: RuleRef; notUnderstood?: string };

const alwaysTexts = {
  itself: 'a pod may always reach itself',
  'own-node': 'a node and the pods that run on it may always reach each other',
};

function nearMissText({ policy, rule, mismatch, expected }: NearMiss, side: string): string {
  if (mismatch === 'no-rules') return `${policyText(policy)} has no ${side} rule, so it allows nothing`;
  const place = `${policyText(policy)} spec.${side}[${rule}]`;
  if (mismatch === 'peer')
    return `${place} requires ${side === 'ingress' ? 'the initiator' : 'the responder'} to be ${expected}`;
  return `${place} matches except for the ${mismatch}: it requires ${expected}`;
}

/** One clause without a full stop. It contains no address, because connections are counted by this text. */
export function reasonText(why: UnknownReason): string {
  switch (why.reason) {
    case 'broken-policy':
      return `an invalid policy could change the verdict: ${policiesText(why.policies)}`;
    case 'unread-documents':
      return `a document that cannot be read could change the verdict: ${listText(why.documents, ' and ', maxListed)}`;
    case 'not-evaluated':
      return `${policiesText(why.policies)} ${why.policies.length === 1 ? 'is' : 'are'} not evaluated`;
    case 'ports-not-defined':
      return `a rule could match by ports that the API does not define: ${policiesText(why.policies)}`;
    case 'address-not-known':
      return `a rule could match by address, and the address is not known: ${policiesText(why.policies)}`;
    case 'names-not-known':
      return `name resolution not visible${gapText(why.gap)}, and a domain name could match: ${policiesText(why.policies)}`;
    case 'namespace-labels-not-known':
      return `the labels of namespace ${why.namespace} are not known, and a policy selects by them: ${policiesText(why.policies)}`;
    case 'node-labels-not-known':
      return `the labels of node ${why.node} are not known, and a policy selects by them: ${policiesText(why.policies)}`;
    case 'label-values-not-known':
      return `${valuesText(why.labels)} not known before a controller sets ${why.labels.length === 1 ? 'it' : 'them'}, and a policy selects by such a value: ${policiesText(why.policies)}`;
    case 'port-name-not-known':
      return `policies treat port numbers differently, and the number of the port named ${why.name} is not known`;
    case 'too-many-selectors':
      return `the selectors of these policies have too many combinations to list: ${policiesText(why.policies)}`;
    case 'ambiguous-priority':
      return `ambiguous priority: ${policiesText(why.policies)} have the same priority and different actions`;
    case 'node-not-known':
      return `a pod and its own node may always reach each other, and the node of ${why.party} is not known`;
    case 'pods-differ':
      return `the pods of ${why.party} would get different verdicts`;
    case 'addresses-differ':
      return `${why.party} has several addresses, and policies treat them differently`;
    case 'backend-not-known':
      return `it is not known which endpoint of Service ${why.service} got the connection, and their verdicts differ or are not known`;
    case 'no-endpoints':
      return noEndpointsText(why.service, why.none);
    case 'external-name':
      return `Service ${why.service} is the DNS name ${escapeControls(why.name)}, and its addresses are not known`;
    case 'host-port-not-known':
      return `it is not known whether a pod of ${listText(why.pods, ' or ', maxListed)} with this host port runs on the node`;
    case 'source-translated':
      return 'the source address was translated, and policies may see either address';
    case 'no-owner-at-that-time':
      return 'the address had no owner at that time';
    case 'address-of-another-node':
      return 'the interface that saw it is on another node than the owner of the address';
    case 'local-scope':
      return 'not evaluated: multicast, broadcast, loopback, link-local, neighbour discovery or DHCP';
    case 'sender-not-seen':
      return 'the pod with the source address was watched, and did not send these packets';
    case 'cluster-not-synced':
      return "the cluster's objects are not known yet";
    case 'cluster-stale':
      return `cluster state ${why.kinds.every(({ untilUs }) => untilUs !== undefined) ? 'was' : 'is'} stale (${staleKindsText(why.kinds)})`;
  }
}

function valuesText(labels: readonly string[]): string {
  return `the ${labels.length === 1 ? 'value of label' : 'values of labels'} ${listText(labels, ' and ', maxListed)} ${labels.length === 1 ? 'is' : 'are'}`;
}

function noEndpointsText(service: string, none: NoEndpoints): string {
  switch (none.why) {
    case 'no-selector':
      return `Service ${service} has no selector, and no EndpointSlice or Endpoints lists where its connections go`;
    case 'selects-no-pod': {
      const selector = Object.entries(none.selector).map(([key, value]) => `${key}=${value}`);
      return `Service ${service} selects no pod: no pod has ${listText(selector, ' and ', maxListed)}`;
    }
    case 'no-such-port':
      return `no pod that Service ${service} selects has a ${protocolName(none.protocol)} port with the name ${none.port}`;
    case 'selector-not-known':
      return `it is not known whether Service ${service} selects a pod: ${valuesText(none.labels)} not known before a controller sets ${none.labels.length === 1 ? 'it' : 'them'}`;
    case 'none-on-node':
      return `Service ${service} has no ready endpoint on this node, and externalTrafficPolicy is Local`;
    case 'none-ready':
      return `Service ${service} has no ready endpoint for this port`;
  }
}

/** `pods since 05:41:07, nodes since 05:41:07`, or `pods changed between 05:41:07 and 05:51:10`; in UTC. */
function staleKindsText(kinds: readonly StaleKind[]): string {
  const texts = kinds.map(({ kind, sinceUs, untilUs }) => {
    const name = resourceName(kind);
    return untilUs === undefined
      ? `${name} since ${clockTime(sinceUs)}`
      : `${name} changed between ${clockTime(sinceUs)} and ${clockTime(untilUs)}`;
  });
  return listText(texts, ', ', maxListed);
}

function clockTime(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString().slice(11, 19);
}
function gapText(gap: NamesGap | undefined): string {
  return gap === undefined ? '' : ` (${gapTexts[gap]})`;
}

const gapTexts: Record<NamesGap, string> = {
  'not-watched': "the pod's interface is not watched",
  'watched-late': 'the pod may have asked before it was watched',
  'queries-missed': 'not all of its DNS queries are known',
  'reply-missed': 'the pod asked, and the reply was not seen or is not certain',
  'dns-over-tls': 'the pod uses DNS over TLS',
  'other-server': 'the pod asks a DNS server that is not trusted',
  'other-port': "the cluster's DNS endpoints use another port than 53",
  'capture-file': 'a capture file may lack queries',
};

export function policyText(policy: PolicyRef): string {
  const { namespace, name } = policy;
  const kind = kindTitle(policy.kind);
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

function policiesText(policies: readonly PolicyRef[]): string {
  return listText(policies.map(policyText), ' and ', maxListed);
}

const maxListed = 5;
