// The outside as one place sees it: all addresses, in ranges that no rule of its policies can tell apart, and for each
// the names that such a rule may ask for.
import type { Party } from '../../model/verdict.ts';
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

export type Named = { seen?: 'matching' | 'others' | 'none'; pattern?: string; names?: readonly string[] };

export class Outside {
  readonly named: readonly Named[];
  readonly #cuts: Cuts;

  /** `rules` are those that speak of the place; `patterns` those that they are to go by. */
  constructor(rules: readonly Rule[], by: 'addresses' | 'addresses-and-names') {
    this.#cuts = cutsOf(prefixesIn(rules));
    this.named = by === 'addresses' ? [{}] : namedBy([...new Set(domainNamesIn(rules))].sort());
  }

  ranges(families: Iterable<Family>): AddressRange[] {
    return rangesOf(this.#cuts, families);
  }
}

/** An address of the range stands for all of it. */
export function partyIn({ family, from }: AddressRange, { names }: Named): Party {
  return { kind: 'address', address: addressOf(family, from), ...(names && { names }) };
}

export function outsideJson(ranges: readonly AddressRange[], { seen, pattern }: Named): PlaceJson {
  return {
    kind: 'external',
    addresses: joinedRanges(ranges).map(rangeText),
    ...(seen && { namesSeen: seen }),
    ...(pattern !== undefined && { names: [pattern] }),
  };
}

/** An address has names that fit a pattern, other names, or none that anybody saw. */
function namedBy(patterns: readonly string[]): Named[] {
  if (patterns.length === 0) return [{}];
  return [
    ...patterns.map((pattern): Named => ({ seen: 'matching', pattern, names: [exampleOf(pattern, patterns)] })),
    // No pattern is a single label.
    { seen: 'others', names: ['other'] },
    { seen: 'none' },
  ];
}

/** A name that fits this pattern, and no narrower one. */
function exampleOf(pattern: string, patterns: readonly string[]): string {
  if (!pattern.startsWith('*.')) return pattern;
  let label = 'any';
  while (patterns.includes(label + pattern.slice(1))) label += '-other';
  return label + pattern.slice(1);
}
