// A cache of verdicts by initiator, responder, protocol and port. A cached verdict is valid as long as the same policies
// select both ends. So a change of a pod, namespace, label or policy invalidates only the verdicts that it affects.
import type { Flow, Party, Verdict } from '../model/verdict.ts';
import { judge } from './judge.ts';
import type { PolicyOptions } from './options.ts';
import { type PolicySet, type Selection, selectionOf } from './policy-set.ts';

/** One party, its number, and the policies that select it in the set of the last lookup. */
type PartyEntry = {
  id: number;
  set: PolicySet | undefined;
  egress: Selection | undefined;
  ingress: Selection | undefined;
};

const slotsPerSet = 4;
const wordsPerSlot = 4;
const maxIds = 2 ** 31 - 1;

/** Valid as long as the same policies select both ends. */
type CachedVerdict = { egress: Selection | undefined; ingress: Selection | undefined; verdict: Verdict };

/**
 * Parties are compared by object identity: the caller reuses the object of an unchanged party, and makes a new one after
 * a change. `slots` is a power of two. Each key may be in one of four slots.
 */
export class CachedJudge {
  readonly #options: PolicyOptions;
  readonly #mask: number;
  #parties = new WeakMap<Party, PartyEntry>();
  #lastId = 0;
  /** For each slot: initiator, responder, protocol and port, and a spare word, so a set of four slots is one cache line. */
  readonly #keys: Int32Array;
  readonly #verdicts: (CachedVerdict | undefined)[];

  constructor(options: PolicyOptions, slots: number) {
    this.#options = options;
    this.#mask = (slots - 1) & -slotsPerSet;
    this.#keys = new Int32Array(slots * wordsPerSlot);
    this.#verdicts = new Array(slots).fill(undefined);
  }

  /** Same as `judge`. hot, once a connection: make bench-policy, budget verdict-cached */
  judge(flow: Flow, set: PolicySet): Verdict {
    // No selection shows whether the set has changed, and the verdict is cheap.
    if (flow.initiator.kind !== 'pod' && flow.responder.kind !== 'pod') return judge(flow, set, this.#options);
    const initiator = this.#entryOf(flow.initiator, set);
    const responder = this.#entryOf(flow.responder, set);
    const slot = this.#slotOf(initiator.id, responder.id, protocolPortKey(flow));
    const cached = this.#verdicts[slot];
    if (cached !== undefined && cached.egress === initiator.egress && cached.ingress === responder.ingress) {
      return cached.verdict;
    }
    const verdict = judge(flow, set, this.#options);
    this.#verdicts[slot] = { egress: initiator.egress, ingress: responder.ingress, verdict };
    return verdict;
  }

  /** The slot of the flow. A new flow takes an empty slot of its set, or replaces another flow. */
  #slotOf(initiator: number, responder: number, protocolPort: number): number {
    const keys = this.#keys;
    const hash = hashOf(initiator, responder, protocolPort);
    const firstSlot = hash & this.#mask;
    let slot = firstSlot + (hash >>> 30);
    for (let at = firstSlot; at < firstSlot + slotsPerSet; at++) {
      const word = at * wordsPerSlot;
      if (keys[word] === initiator && keys[word + 1] === responder && keys[word + 2] === protocolPort) return at;
      if (keys[word] === 0) slot = at;
    }
    keys[slot * wordsPerSlot] = initiator;
    keys[slot * wordsPerSlot + 1] = responder;
    keys[slot * wordsPerSlot + 2] = protocolPort;
    this.#verdicts[slot] = undefined;
    return slot;
  }

  #entryOf(party: Party, set: PolicySet): PartyEntry {
    let entry = this.#parties.get(party);
    if (entry === undefined) {
      entry = { id: this.#nextId(), set: undefined, egress: undefined, ingress: undefined };
      this.#parties.set(party, entry);
    }
    if (entry.set === set) return entry;
    entry.set = set;
    if (party.kind !== 'pod') return entry;
    entry.egress = selectionOf(set, party, 'egress');
    entry.ingress = selectionOf(set, party, 'ingress');
    return entry;
  }

  /** Starts at 1, because 0 marks an empty slot. */
  #nextId(): number {
    if (this.#lastId === maxIds) {
      this.#parties = new WeakMap();
      this.#keys.fill(0);
      this.#lastId = 0;
    }
    this.#lastId += 1;
    return this.#lastId;
  }
}

/** Protocols have 8 bits and ports 16; 65,536 means no port. */
function protocolPortKey({ protocol, port }: Flow): number {
  return protocol * 131_072 + (port ?? 65_536);
}

/** The mixing steps of MurmurHash3 (Appleby, public domain). */
function hashOf(a: number, b: number, c: number): number {
  let hash = Math.imul(a, 0xcc9e2d51) ^ Math.imul(b, 0x1b873593) ^ Math.imul(c, 0xe6546b64);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
