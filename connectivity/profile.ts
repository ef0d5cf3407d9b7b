// The verdicts for every protocol and port between two parties. Ports that no rule distinguishes are one segment, which is
// evaluated once.
import type { ContainerPort } from '../model/kubernetes.ts';
import { ICMP } from '../model/protocol.ts';
import type { Direction, Party, RuleRef, SideVerdict, UnknownReason, Verdict } from '../model/verdict.ts';
import { reasonText } from '../policy/explain.ts';
import { judge, judgeOneSide } from '../policy/judge.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { type PolicySet, type Selection, selectionOf } from '../policy/policy-set.ts';
import { firstPort, lastPort, type PortProtocol, type PortSegment, portProtocols } from './connection-set.ts';
import { rulesOf } from './match-criteria.ts';

/** Equal verdicts have equal keys. */
export type PortVerdict = { key: string; verdict: Verdict['verdict']; why?: UnknownReason };

/** Every port and protocol, in the order of TCP, UDP, SCTP, other. Equal profiles are one object. */
export type Profile = readonly ProfileSegment[];
type ProfileSegment = PortSegment & { portVerdict: PortVerdict };

/** `tier`: where the side was decided; undefined if no rule decided it. */
export type SidePortVerdict = PortVerdict & { tier?: RuleRef['tier'] };
export type SideSegment = PortSegment & { portVerdict: SidePortVerdict };

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
    const starts = this.#segmentStarts(
      [this.selectionOf(initiator, 'egress'), this.selectionOf(responder, 'ingress')],
      responder,
    );
    return this.shared(
      segmentsOf(starts, (protocolAndPort) => {
        return portVerdictOf(judge({ initiator, responder, ...protocolAndPort }, this.#policies, this.#options));
      }),
    );
  }

  /**
   * The verdict of one side alone, `own`: the policies at the other end are not known. `portNames` are for an `other` whose
   * container ports are not known. Segments are not merged: the same arguments with another `other` give the same ports.
   */
  sideSegments(
    side: Direction,
    own: Party,
    other: Party & { kind: 'pod' },
    portNames: readonly string[],
  ): SideSegment[] {
    const [initiator, responder] = side === 'egress' ? [own, other] : [other, own];
    const starts = this.#segmentStarts([this.selectionOf(own, side)], responder);
    const verdictFor = (responder: Party) => (protocolAndPort: { protocol: number; port?: number }) =>
      sideVerdictOf(judgeOneSide(side, { initiator, responder, ...protocolAndPort }, this.#policies, this.#options));
    const numbered = segmentsOf(starts, verdictFor(responder));
    return numbered.flatMap((segment, at) => {
      const { protocol } = segment;
      if (protocol === 'other' || numbered[at + 1]?.protocol === protocol) return [segment];
      const unnamed = numbered.filter((one) => one.protocol === protocol);
      const named = portNames.map((name, index): SideSegment => {
        // The pod may give the name to any of its ports.
        const verdicts = unnamed.map(({ from: port }) =>
          verdictFor({ ...other, ports: [{ name, port, protocol }] })({ protocol, port }),
        );
        const from = lastPort + 1 + index;
        return { protocol, from, to: from, name, portVerdict: namedPortVerdict(name, verdicts, unnamed) };
      });
      return [segment, ...named];
    });
  }

  /** Merges adjacent segments of equal verdicts. */
  shared(segments: readonly ProfileSegment[]): Profile {
    const merged: ProfileSegment[] = [];
    let key = '';
    for (const segment of segments) {
      const last = merged.at(-1);
      const { protocol, from, name, portVerdict } = segment;
      if (last?.protocol === protocol && last.portVerdict.key === portVerdict.key && name === undefined) {
        last.to = segment.to;
      } else {
        merged.push({ ...segment });
        key += `${protocol} ${name ?? from} ${portVerdict.key}\n`;
      }
    }
    const existing = this.#sharedProfiles.get(key);
    if (existing !== undefined) return existing;
    this.#sharedProfiles.set(key, merged);
    return merged;
  }

  selectionOf(party: Party, direction: 'egress' | 'ingress'): Selection | undefined {
    return party.kind === 'pod' ? selectionOf(this.#policies, party, direction) : undefined;
  }

  /** The first port of each segment; undefined if no rule has ports. */
  #segmentStarts(
    selections: readonly (Selection | undefined)[],
    responder: Party,
  ): Record<PortProtocol, Set<number>> | undefined {
    const criteria = selections.map((selection) => this.#portCriteriaOf(selection));
    if (criteria.every((list) => list.length === 0)) return undefined;
    const startsByProtocol = { 6: new Set([firstPort]), 17: new Set([firstPort]), 132: new Set([firstPort]) };
    const ports = responder.kind === 'pod' ? responder.ports : [];
    for (const list of criteria) for (const one of list) addStarts(startsByProtocol, one, ports);
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

function segmentsOf<Kind extends PortVerdict>(
  startsByProtocol: Record<PortProtocol, Set<number>> | undefined,
  verdictAt: (protocolAndPort: { protocol: number; port?: number }) => Kind,
): (PortSegment & { portVerdict: Kind })[] {
  const segments: (PortSegment & { portVerdict: Kind })[] = [];
  for (const protocol of portProtocols) {
    const starts = startsByProtocol === undefined ? singleStart : [...startsByProtocol[protocol]].sort((a, b) => a - b);
    for (let at = 0; at < starts.length; at++) {
      const from = starts[at]!;
      const to = (starts[at + 1] ?? lastPort + 1) - 1;
      segments.push({ protocol, from, to, portVerdict: verdictAt({ protocol, port: from }) });
    }
  }
  segments.push({ protocol: 'other', from: 0, to: 0, portVerdict: verdictAt({ protocol: ICMP }) });
  return segments;
}

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

/** A side that is not a pod is not covered by any policy. */
function sideVerdictOf(side: SideVerdict | undefined): SidePortVerdict {
  if (side === undefined) return certainVerdicts.undeclared;
  const portVerdict = portVerdictOf({ verdict: side.verdict, sides: [side] });
  return 'decidedBy' in side ? { ...portVerdict, tier: side.decidedBy.tier } : portVerdict;
}

/** `verdicts`: if the port with this name has the number of each segment. */
function namedPortVerdict(
  name: string,
  verdicts: readonly SidePortVerdict[],
  unnamed: readonly SideSegment[],
): SidePortVerdict {
  const [first] = verdicts;
  if (verdicts.every(({ key }) => key === first!.key)) return first!;
  // The name makes no difference, so the lines by number are enough.
  if (verdicts.every(({ key }, at) => key === unnamed[at]!.portVerdict.key)) return certainVerdicts.denied;
  return unknownSideVerdict({ reason: 'port-name-not-known', name });
}

export function unknownSideVerdict(why: UnknownReason): SidePortVerdict {
  return portVerdictOf({ verdict: 'unknown', sides: [], why });
}
