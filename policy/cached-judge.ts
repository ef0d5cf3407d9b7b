// Verdicts that were given before: by who asks whom, protocol and port. What is kept holds as long as the same policies
// touch both ends, so a change of one pod, namespace, label or policy makes only those new that it touches.
import type { Crossing, Party, Verdict } from '../model/verdict.ts';
import { judge } from './judge.ts';
import type { PolicyOptions } from './options.ts';
import { type PolicySet, type Selection, selectionOf } from './policy-set.ts';

/** One party, by number, and what touches it in the set that was asked last. */
type Known = { id: number; set: PolicySet | undefined; egress: Selection | undefined; ingress: Selection | undefined };

const ways = 4;
const words = 4;
const idsMost = 2 ** 31 - 1;

/** A verdict, as long as the same policies touch both ends. */
type Kept = { egress: Selection | undefined; ingress: Selection | undefined; verdict: Verdict };

/**
 * The same party must be the same object to be found again, and one that changed another: whoever makes parties keeps
 * them. Of `places` (a power of two) each question may have one of four, as in a processor's cache.
 */
export class CachedJudge {
  readonly #options: PolicyOptions;
  readonly #mask: number;
  #known = new WeakMap<Party, Known>();
  #ids = 0;
  /** For each place the initiator, the responder and what is asked; one word is spare, so that four places are a line. */
  readonly #questions: Int32Array;
  readonly #kept: (Kept | undefined)[];

  constructor(options: PolicyOptions, places: number) {
    this.#options = options;
    this.#mask = (places - 1) & -ways;
    this.#questions = new Int32Array(places * words);
    this.#kept = new Array(places).fill(undefined);
  }

  /** As `judge`. hot, once a connection: make bench-policy, budget verdict-cached */
  judge(crossing: Crossing, set: PolicySet): Verdict {
    const initiator = this.#touched(crossing.initiator, set);
    const responder = this.#touched(crossing.responder, set);
    const at = this.#placeOf(initiator.id, responder.id, askedOf(crossing));
    const kept = this.#kept[at];
    if (kept !== undefined && kept.egress === initiator.egress && kept.ingress === responder.ingress) {
      return kept.verdict;
    }
    const verdict = judge(crossing, set, this.#options);
    this.#kept[at] = { egress: initiator.egress, ingress: responder.ingress, verdict };
    return verdict;
  }

  /** Where the question stands; one that is new takes an empty place, or that of another. */
  #placeOf(initiator: number, responder: number, asked: number): number {
    const questions = this.#questions;
    const hash = mixed(initiator, responder, asked);
    const from = hash & this.#mask;
    let place = from + (hash >>> 30);
    for (let at = from; at < from + ways; at++) {
      const word = at * words;
      if (questions[word] === initiator && questions[word + 1] === responder && questions[word + 2] === asked)
        return at;
      if (questions[word] === 0) place = at;
    }
    questions[place * words] = initiator;
    questions[place * words + 1] = responder;
    questions[place * words + 2] = asked;
    this.#kept[place] = undefined;
    return place;
  }

  #touched(party: Party, set: PolicySet): Known {
    let known = this.#known.get(party);
    if (known === undefined) {
      known = { id: this.#nextId(), set: undefined, egress: undefined, ingress: undefined };
      this.#known.set(party, known);
    }
    if (known.set === set) return known;
    known.set = set;
    if (party.kind !== 'pod') return known;
    known.egress = selectionOf(set, party, 'egress');
    known.ingress = selectionOf(set, party, 'ingress');
    return known;
  }

  /** From 1, so that no party has the number of an empty place. */
  #nextId(): number {
    if (this.#ids === idsMost) {
      this.#known = new WeakMap();
      this.#questions.fill(0);
      this.#ids = 0;
    }
    this.#ids += 1;
    return this.#ids;
  }
}

/** Protocols have 8 bits and ports 16; without a port it is none of them. */
function askedOf({ protocol, port }: Crossing): number {
  return protocol * 131_072 + (port ?? 65_536);
}

/** As MurmurHash3 mixes its words (Appleby, public domain). */
function mixed(a: number, b: number, c: number): number {
  let hash = Math.imul(a, 0xcc9e2d51) ^ Math.imul(b, 0x1b873593) ^ Math.imul(c, 0xe6546b64);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
