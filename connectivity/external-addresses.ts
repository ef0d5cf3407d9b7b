// The outside as one place sees it: all addresses, in ranges that no rule of its policies can tell apart, and for each
// the names that such a rule may ask for.
import type { Party } from '../model/verdict.ts';
import {
  type AddressFamily,
  type AddressRange,
  addressOf,
  mergedRanges,
  type RangeStarts,
  rangeStartsOf,
  rangesOf,
  rangeText,
} from './address-ranges.ts';
import type { EndpointGroupJson } from './endpoint-groups.ts';
import { domainNamesIn, prefixesIn, type Rule } from './match-criteria.ts';

/** Addresses by the names that they have: `told` says which, and `names` is an example. */
export type NameClass = {
  json: Pick<EndpointGroupJson & { kind: 'external' }, 'namesSeen' | 'names' | 'notNames'>;
  exampleNames?: readonly string[];
};

export class ExternalAddresses {
  readonly nameClasses: readonly NameClass[];
  readonly #rangeStarts: RangeStarts;

  /** `rules` are those that speak of the place; `patterns` those that they are to go by. */
  constructor(rules: readonly Rule[], by: 'addresses' | 'addresses-and-names') {
    this.#rangeStarts = rangeStartsOf(prefixesIn(rules));
    this.nameClasses = by === 'addresses' ? [anyName] : nameClassesOf([...new Set(domainNamesIn(rules))].sort());
  }

  ranges(families: Iterable<AddressFamily>): AddressRange[] {
    return rangesOf(this.#rangeStarts, families);
  }
}

/** An address of the range stands for all of it. */
export function externalParty({ family, from }: AddressRange, { exampleNames: names }: NameClass): Party {
  return { kind: 'address', address: addressOf(family, from), ...(names && { names }) };
}

export function externalJson(ranges: readonly AddressRange[], { json }: NameClass): EndpointGroupJson {
  return {
    kind: 'external',
    addresses: mergedRanges(ranges).map(rangeText),
    ...json,
  };
}

/** An address has names that fit a pattern, other names, or none that anybody saw. */
function nameClassesOf(patterns: readonly string[]): NameClass[] {
  if (patterns.length === 0) return [anyName];
  return [
    ...patterns.map((pattern): NameClass => {
      const narrower = patterns.filter((one) => one !== pattern && isWithin(one, pattern));
      const notNames = narrower.length > 0 ? { notNames: narrower } : {};
      return {
        json: { namesSeen: 'matching', names: [pattern], ...notNames },
        exampleNames: [exampleOf(pattern, narrower)],
      };
    }),
    // No pattern is a single label.
    { json: { namesSeen: 'others', notNames: patterns }, exampleNames: ['other'] },
    { json: { namesSeen: 'none' } },
  ];
}

const anyName: NameClass = { json: {} };

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
