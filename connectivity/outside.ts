// The outside as one place sees it: all addresses, in ranges that no rule of its policies can tell apart, and for each
// the names that such a rule may ask for.
import type { Party } from '../model/verdict.ts';
import {
  type AddressRange,
  addressOf,
  type Cuts,
  cutsOf,
  type Family,
  joinedRanges,
  rangesOf,
  rangeText,
} from './address-ranges.ts';
import { domainNamesIn, prefixesIn, type Rule } from './mentions.ts';
import type { PlaceJson } from './places.ts';

/** Addresses by the names that they have: `told` says which, and `names` is an example. */
export type Named = {
  told: Pick<PlaceJson & { kind: 'external' }, 'namesSeen' | 'names' | 'notNames'>;
  names?: readonly string[];
};

export class Outside {
  readonly named: readonly Named[];
  readonly #cuts: Cuts;

  /** `rules` are those that speak of the place; `patterns` those that they are to go by. */
  constructor(rules: readonly Rule[], by: 'addresses' | 'addresses-and-names') {
    this.#cuts = cutsOf(prefixesIn(rules));
    this.named = by === 'addresses' ? [anyName] : namedBy([...new Set(domainNamesIn(rules))].sort());
  }

  ranges(families: Iterable<Family>): AddressRange[] {
    return rangesOf(this.#cuts, families);
  }
}

/** An address of the range stands for all of it. */
export function partyIn({ family, from }: AddressRange, { names }: Named): Party {
  return { kind: 'address', address: addressOf(family, from), ...(names && { names }) };
}

export function outsideJson(ranges: readonly AddressRange[], { told }: Named): PlaceJson {
  return {
    kind: 'external',
    addresses: joinedRanges(ranges).map(rangeText),
    ...told,
  };
}

/** An address has names that fit a pattern, other names, or none that anybody saw. */
function namedBy(patterns: readonly string[]): Named[] {
  if (patterns.length === 0) return [anyName];
  return [
    ...patterns.map((pattern): Named => {
      const narrower = patterns.filter((one) => one !== pattern && isWithin(one, pattern));
      const notNames = narrower.length > 0 ? { notNames: narrower } : {};
      return { told: { namesSeen: 'matching', names: [pattern], ...notNames }, names: [exampleOf(pattern, narrower)] };
    }),
    // No pattern is a single label.
    { told: { namesSeen: 'others', notNames: patterns }, names: ['other'] },
    { told: { namesSeen: 'none' } },
  ];
}

const anyName: Named = { told: {} };

function isWithin(inner: string, outer: string): boolean {
  return outer.startsWith('*.') && inner.endsWith(outer.slice(1));
}

/** A name that fits the pattern, and none that is narrower. */
function exampleOf(pattern: string, narrower: readonly string[]): string {
  if (!pattern.startsWith('*.')) return pattern;
  let label = 'any';
  while (narrower.includes(label + pattern.slice(1))) label += '-other';
  return label + pattern.slice(1);
}
