// What the policies say of every protocol and port between two parties: judged once in each stretch of ports within which
// no rule can tell two ports apart.
import type { ContainerPort } from '../model/kubernetes.ts';
import { ICMP } from '../model/protocol.ts';
import type { Party, UnknownReason, Verdict } from '../model/verdict.ts';
import { reasonText } from '../policy/explain.ts';
import { judge } from '../policy/judge.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { type PolicySet, type Selection, selectionOf } from '../policy/policy-set.ts';
import { firstPort, lastPort, type PortProtocol, portProtocols, type Stretch } from './connections.ts';
import { rulesOf } from './mentions.ts';

/** `key`: equal outcomes have equal ones. */
export type Outcome = { key: string; verdict: Verdict['verdict']; why?: UnknownReason };

/** Every port and protocol, in the order of TCP, UDP, SCTP, other. Equal profiles are one object. */
export type Profile = readonly (Stretch & { outcome: Outcome })[];

type Mentioned = { protocol: number | undefined; from: number | string; to: number };

export class Profiles {
  readonly #policies: PolicySet;
  readonly #options: PolicyOptions;
  readonly #known: Map<string, Profile>;
  readonly #mentioned = new WeakMap<Selection, readonly Mentioned[]>();

  /** Those that share `known` have one object for equal profiles. */
  constructor(policies: PolicySet, options: PolicyOptions, known: Map<string, Profile>) {
    this.#policies = policies;
    this.#options = options;
    this.#known = known;
  }

  of(initiator: Party, responder: Party): Profile {
    const stretches: (Stretch & { outcome: Outcome })[] = [];
    const cuts = this.#cutsOf(initiator, responder);
    let key = '';
    const add = (stretch: Stretch): void => {
      const last = stretches.at(-1);
      const protocol = stretch.protocol === 'other' ? ICMP : stretch.protocol;
      const crossing = { initiator, responder, protocol };
      const asked = stretch.protocol === 'other' ? crossing : { ...crossing, port: stretch.from };
      const outcome = outcomeOf(judge(asked, this.#policies, this.#options));
      if (last?.protocol === stretch.protocol && last.outcome.key === outcome.key) last.to = stretch.to;
      else {
        stretches.push({ ...stretch, outcome });
        key += `${stretch.protocol} ${stretch.from} ${outcome.key}\n`;
      }
    };
    for (const protocol of portProtocols) {
      const starts = cuts === undefined ? wholeCuts : [...cuts[protocol]].sort((a, b) => a - b);
      for (let at = 0; at < starts.length; at++) {
        add({ protocol, from: starts[at]!, to: (starts[at + 1] ?? lastPort + 1) - 1 });
      }
    }
    add({ protocol: 'other', from: 0, to: 0 });
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, stretches);
    return stretches;
  }

  selectionOf(party: Party, direction: 'egress' | 'ingress'): Selection | undefined {
    return party.kind === 'pod' ? selectionOf(this.#policies, party, direction) : undefined;
  }

  /** Where a stretch begins; undefined where no rule speaks of ports. */
  #cutsOf(initiator: Party, responder: Party): Record<PortProtocol, Set<number>> | undefined {
    const egress = this.#mentionedBy(this.selectionOf(initiator, 'egress'));
    const ingress = this.#mentionedBy(this.selectionOf(responder, 'ingress'));
    if (egress.length === 0 && ingress.length === 0) return undefined;
    const cuts = { 6: new Set([firstPort]), 17: new Set([firstPort]), 132: new Set([firstPort]) };
    const ports = responder.kind === 'pod' ? responder.ports : [];
    for (const mentioned of [egress, ingress]) for (const one of mentioned) cut(cuts, one, ports);
    return cuts;
  }

  #mentionedBy(selection: Selection | undefined): readonly Mentioned[] {
    if (selection === undefined) return [];
    const known = this.#mentioned.get(selection);
    if (known !== undefined) return known;
    const mentioned = rulesOf(selection).flatMap(({ ports }) =>
      ports.flatMap(({ protocol, port, endPort }) =>
        port === undefined ? [] : [{ protocol, from: port, to: endPort ?? (typeof port === 'number' ? port : 0) }],
      ),
    );
    this.#mentioned.set(selection, mentioned);
    return mentioned;
  }
}

const wholeCuts = [firstPort];

/** A name is a container port of the responder (rule 10). */
function cut(
  cuts: Record<PortProtocol, Set<number>>,
  { protocol, from, to }: Mentioned,
  ports: readonly ContainerPort[],
): void {
  const spans =
    typeof from === 'number'
      ? [{ from, to }]
      : ports.flatMap((one) => (one.name === from ? { from: one.port, to: one.port } : []));
  for (const span of spans) {
    for (const of of portProtocols) {
      if (protocol !== undefined && protocol !== of) continue;
      cuts[of].add(span.from);
      if (span.to < lastPort) cuts[of].add(span.to + 1);
    }
  }
}

const outcomes = { allowed: plain('allowed'), undeclared: plain('undeclared'), denied: plain('denied') };

function plain(verdict: 'allowed' | 'undeclared' | 'denied'): Outcome {
  return { key: verdict, verdict };
}

function outcomeOf(verdict: Verdict): Outcome {
  if (verdict.verdict !== 'unknown') return outcomes[verdict.verdict];
  const why = verdict.why ?? verdict.sides.find((side) => side.verdict === 'unknown')?.why;
  if (why === undefined) return { key: 'unknown', verdict: 'unknown' };
  // Whose node it is stands in for the class, and is told by the place.
  const key = why.reason === 'node-not-known' ? why.reason : reasonText(why);
  return { key: `unknown: ${key}`, verdict: 'unknown', why };
}
