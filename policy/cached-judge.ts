// Verdicts that were given before: by who asks whom, protocol and port. What is kept holds as long as the same policies
// touch both ends, so a change of one pod, namespace, label or policy makes only those new that it touches.
import type { Crossing, Direction, Party, Verdict } from '../model/verdict.ts';
import { judge } from './judge.ts';
import type { PolicyOptions } from './options.ts';
import { type PolicySet, type Selection, selectionOf } from './policy-set.ts';

/** What touches one party, found by the set that was asked last. */
type Touched = { set: PolicySet; egress: Selection | undefined; ingress: Selection | undefined };
type Kept = { egress: Selection | undefined; ingress: Selection | undefined; verdict: Verdict };
type OfInitiator = WeakMap<Party, Map<number, Kept>>;

/**
 * The same party must be the same object to be found again, and one that changed another: whoever makes parties keeps
 * them. At most `most` verdicts are held; when there are more, all are given anew.
 */
export class CachedJudge {
  readonly #options: PolicyOptions;
  readonly #most: number;
  #kept = new WeakMap<Party, OfInitiator>();
  #size = 0;
  readonly #touched = new WeakMap<Party, Touched>();

  constructor(options: PolicyOptions, most: number) {
    this.#options = options;
    this.#most = most;
  }

  /** As `judge`. hot, once a connection: make bench-policy, budget verdict-cached */
  judge(crossing: Crossing, set: PolicySet): Verdict {
    const { initiator, responder } = crossing;
    const egress = this.#selection(initiator, set, 'egress');
    const ingress = this.#selection(responder, set, 'ingress');
    const asked = this.#askedOf(initiator, responder);
    const key = keyOf(crossing);
    const known = asked.get(key);
    if (known !== undefined && known.egress === egress && known.ingress === ingress) return known.verdict;
    const verdict = judge(crossing, set, this.#options);
    if (known === undefined) this.#count();
    asked.set(key, { egress, ingress, verdict });
    return verdict;
  }

  #selection(party: Party, set: PolicySet, direction: Direction): Selection | undefined {
    if (party.kind !== 'pod') return undefined;
    let touched = this.#touched.get(party);
    if (touched === undefined) {
      touched = { set, egress: undefined, ingress: undefined };
      this.#touched.set(party, touched);
    } else if (touched.set !== set) {
      touched.set = set;
      touched.egress = undefined;
      touched.ingress = undefined;
    }
    const known = touched[direction];
    if (known !== undefined) return known;
    const found = selectionOf(set, party, direction);
    touched[direction] = found;
    return found;
  }

  #askedOf(initiator: Party, responder: Party): Map<number, Kept> {
    let ofInitiator = this.#kept.get(initiator);
    if (ofInitiator === undefined) {
      ofInitiator = new WeakMap();
      this.#kept.set(initiator, ofInitiator);
    }
    let asked = ofInitiator.get(responder);
    if (asked === undefined) {
      asked = new Map();
      ofInitiator.set(responder, asked);
    }
    return asked;
  }

  #count(): void {
    this.#size += 1;
    if (this.#size <= this.#most) return;
    this.#kept = new WeakMap();
    this.#size = 1;
  }
}

/** Protocols have 8 bits and ports 16; one without a port is none of them. */
function keyOf({ protocol, port }: Crossing): number {
  return protocol * 131_072 + (port ?? 65_536);
}
