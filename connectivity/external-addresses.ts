// External addresses for one group: ranges that no rule of its policies distinguishes, and classes of domain names that its
// rules distinguish.
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

/** Addresses with certain domain names. `json` describes the names, and `exampleNames` is one example. */
export type NameClass = {
  json: Pick<EndpointGroupJson & { kind: 'external' }, 'namesSeen' | 'names' | 'notNames'>;
  exampleNames?: readonly string[];
};

export class ExternalAddresses {
  readonly nameClasses: readonly NameClass[];
  readonly #rangeStarts: RangeStarts;

  /** `rules` are the rules of the policies that select the group. */
  constructor(rules: readonly Rule[], by: 'addresses' | 'addresses-and-names') {
    this.#rangeStarts = rangeStartsOf(prefixesIn(rules));
    this.nameClasses = by === 'addresses' ? [anyName] : nameClassesOf([...new Set(domainNamesIn(rules))].sort());
  }

  ranges(families: Iterable<AddressFamily>): AddressRange[] {
    return rangesOf(this.#rangeStarts, families);
  }
}

/** The first address of the range represents the whole range. */
export function externalParty({ family, from }: AddressRange, { exampleNames: names }: NameClass): Party {
  return { kind: 'address', address: addressOf(family, from), ...(names && { names, namesKnown: true }) };
}

export function externalJson(ranges: readonly AddressRange[], { json }: NameClass): EndpointGroupJson {
  return {
    kind: 'external',
    addresses: mergedRanges(ranges).map(rangeText),
    ...json,
  };
}

/** One class for each pattern, one for other names, and one for addresses without a known name. */
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
    // `other` matches no pattern, because no pattern is a single label.
    { json: { namesSeen: 'others', notNames: patterns }, exampleNames: ['other'] },
    { json: { namesSeen: 'none' } },
  ];
}

const anyName: NameClass = { json: {} };

function isWithin(inner: string, outer: string): boolean {
  return outer.startsWith('*.') && inner.endsWith(outer.slice(1));
}

/** A name that matches the pattern, but no narrower pattern. */
function exampleOf(pattern: string, narrower: readonly string[]): string {
  if (!pattern.startsWith('*.')) return pattern;
  let label = 'any';
  while (narrower.includes(label + pattern.slice(1))) label += '-other';
  return label + pattern.slice(1);
}
