// The verdicts for every protocol and port between two parties. Ports that no rule distinguishes are one segment, which is
// evaluated once.
import type { ContainerPort } from '../model/kubernetes.ts';
import { ICMP } from '../model/protocol.ts';
import type { Party, UnknownReason, Verdict } from '../model/verdict.ts';
import { reasonText } from '../policy/explain.ts';
import { judge } from '../policy/judge.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { type PolicySet, type Selection, selectionOf } from '../policy/policy-set.ts';
import { firstPort, lastPort, type PortProtocol, type PortSegment, portProtocols } from './connection-set.ts';
import { rulesOf } from './match-criteria.ts';

/** Equal verdicts have equal keys. */
export type PortVerdict = { key: string; verdict: Verdict['verdict']; why?: UnknownReason };

/** Every port and protocol, in the order of TCP, UDP, SCTP, other. Equal profiles are one object. */
export type Profile = readonly (PortSegment & { portVerdict: PortVerdict })[];

type PortCriterion = { protocol: number | undefined; from: number | string; to: number };

export class Profiles {
  readonly #policies: PolicySet;
  readonly #options: PolicyOptions;
  readonly #sharedProfiles: Map<string, Profile>;
  readonly #portCriteriaBySelection = new WeakMap<Selection, readonly PortCriterion[]>();

  /** Instances with the same `sharedProfiles` share one object for equal profiles. */
  constructor(policies: PolicySet, options: PolicyOptions, sharedProfiles: Map<string, Profile>) {
    this.#policies = policies;
    this.#options = options;
    this.#sharedProfiles = sharedProfiles;
  }

  profileOf(initiator: Party, responder: Party): Profile {
    const segments: (PortSegment & { portVerdict: PortVerdict })[] = [];
    const startsByProtocol = this.#segmentStarts(initiator, responder);
    let key = '';
    const add = (segment: PortSegment): void => {
      const last = segments.at(-1);
      const protocol = segment.protocol === 'other' ? ICMP : segment.protocol;
      const flow = { initiator, responder, protocol };
      const flowWithPort = segment.protocol === 'other' ? flow : { ...flow, port: segment.from };
      const portVerdict = portVerdictOf(judge(flowWithPort, this.#policies, this.#options));
      if (last?.protocol === segment.protocol && last.portVerdict.key === portVerdict.key) last.to = segment.to;
      else {
        segments.push({ ...segment, portVerdict });
        key += `${segment.protocol} ${segment.from} ${portVerdict.key}\n`;
      }
    };
    for (const protocol of portProtocols) {
      const starts =
        startsByProtocol === undefined ? singleStart : [...startsByProtocol[protocol]].sort((a, b) => a - b);
      for (let at = 0; at < starts.length; at++) {
        add({ protocol, from: starts[at]!, to: (starts[at + 1] ?? lastPort + 1) - 1 });
      }
    }
    add({ protocol: 'other', from: 0, to: 0 });
    const existing = this.#sharedProfiles.get(key);
    if (existing !== undefined) return existing;
    this.#sharedProfiles.set(key, segments);
    return segments;
  }

  selectionOf(party: Party, direction: 'egress' | 'ingress'): Selection | undefined {
    return party.kind === 'pod' ? selectionOf(this.#policies, party, direction) : undefined;
  }

  /** The first port of each segment; undefined if no rule has ports. */
  #segmentStarts(initiator: Party, responder: Party): Record<PortProtocol, Set<number>> | undefined {
    const egress = this.#portCriteriaOf(this.selectionOf(initiator, 'egress'));
    const ingress = this.#portCriteriaOf(this.selectionOf(responder, 'ingress'));
    if (egress.length === 0 && ingress.length === 0) return undefined;
    const startsByProtocol = { 6: new Set([firstPort]), 17: new Set([firstPort]), 132: new Set([firstPort]) };
    const ports = responder.kind === 'pod' ? responder.ports : [];
    for (const portCriteria of [egress, ingress])
      for (const one of portCriteria) addStarts(startsByProtocol, one, ports);
    return startsByProtocol;
  }

  #portCriteriaOf(selection: Selection | undefined): readonly PortCriterion[] {
    if (selection === undefined) return [];
    const cached = this.#portCriteriaBySelection.get(selection);
    if (cached !== undefined) return cached;
    const portCriteria = rulesOf(selection).flatMap(({ ports }) =>
      ports.flatMap(({ protocol, port, endPort }) =>
        port === undefined ? [] : [{ protocol, from: port, to: endPort ?? (typeof port === 'number' ? port : 0) }],
      ),
    );
    this.#portCriteriaBySelection.set(selection, portCriteria);
    return portCriteria;
  }
}

const singleStart = [firstPort];

/** A named port is a container port of the responder (rule 10). */
function addStarts(
  startsByProtocol: Record<PortProtocol, Set<number>>,
  { protocol, from, to }: PortCriterion,
  ports: readonly ContainerPort[],
): void {
  const spans =
    typeof from === 'number'
      ? [{ from, to }]
      : ports.flatMap((one) => (one.name === from ? { from: one.port, to: one.port } : []));
  for (const span of spans) {
    for (const portProtocol of portProtocols) {
      if (protocol !== undefined && protocol !== portProtocol) continue;
      startsByProtocol[portProtocol].add(span.from);
      if (span.to < lastPort) startsByProtocol[portProtocol].add(span.to + 1);
    }
  }
}

const certainVerdicts = {
  allowed: certainVerdict('allowed'),
  undeclared: certainVerdict('undeclared'),
  denied: certainVerdict('denied'),
};

function certainVerdict(verdict: 'allowed' | 'undeclared' | 'denied'): PortVerdict {
  return { key: verdict, verdict };
}

function portVerdictOf(verdict: Verdict): PortVerdict {
  if (verdict.verdict !== 'unknown') return certainVerdicts[verdict.verdict];
  const why = verdict.why ?? verdict.sides.find((side) => side.verdict === 'unknown')?.why;
  if (why === undefined) return { key: 'unknown', verdict: 'unknown' };
  // The party is the representative of its class, so its name is not part of the key. The line shows the group.
  const key = why.reason === 'node-not-known' ? why.reason : reasonText(why);
  return { key: `unknown: ${key}`, verdict: 'unknown', why };
}
