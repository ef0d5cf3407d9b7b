// Parties that no policy distinguishes are one class, and are evaluated once. The node of a party is not part of its class:
// pair-placement.ts covers its effect (rule 12).
import { type AnyPolicy, isRecognised, type LabelSelector, type Labels } from '../model/kubernetes.ts';
import { keysWithoutValue } from '../model/label-value.ts';
import type { Subject } from '../model/recognised-policy.ts';
import type { Party } from '../model/verdict.ts';
import { selects, selectsPod, selectsWithPartialLabels } from '../policy/selectors.ts';
import { subjectSelects } from '../policy/subject.ts';
import { addressFamily, type RangeStarts, rangeIndex, rangeStartsOf } from './address-ranges.ts';
import { type MatchCriteria, matchCriteriaOf } from './match-criteria.ts';

/** `party` represents all parties of the class; `id` counts from 0. */
export type PartyClass = { id: number; party: Party };

export class PartyClasses {
  readonly #criteria: MatchCriteria;
  /** Of the policies that are not evaluated. */
  readonly #subjects: readonly Subject[];
  readonly #rangeStarts: RangeStarts;
  readonly #classesByKey = new Map<string, PartyClass>();
  readonly #matchesBySelectors = new Map<readonly LabelSelector[], Map<string, string>>();

  /** `policies` are all policies of the evaluation: those of both sets if two are compared. */
  constructor(policies: readonly AnyPolicy[]) {
    this.#criteria = matchCriteriaOf(policies.filter((policy) => !isRecognised(policy)));
    this.#subjects = policies.filter(isRecognised).flatMap(({ parts }) => parts.map(({ subject }) => subject));
    this.#rangeStarts = rangeStartsOf(this.#criteria.prefixes);
  }

  classOf(party: Party): PartyClass {
    const key = this.#keyOf(party);
    const existing = this.#classesByKey.get(key);
    if (existing !== undefined) return existing;
    const created = { id: this.#classesByKey.size, party: representativeOf(party) };
    this.#classesByKey.set(key, created);
    return created;
  }

  #keyOf(party: Party): string {
    const { namespacesWithPolicy, podSelectors, namespaceSelectors, nodeSelectors, portNames } = this.#criteria;
    switch (party.kind) {
      case 'some-node':
        return 'some-node';
      case 'address': {
        const { node, nodeLabels, nodeLabelsKnown, names = [], namesKnown } = party;
        const labels =
          nodeLabels && withOwnerOfUnknown(this.#selectorMatches(nodeSelectors, nodeLabels, nodeLabelsKnown), node);
        return `address ${this.#rangeOf(party.address)} ${node !== undefined} ${nodeLabels !== undefined} ${labels} ${names} ${namesKnown}`;
      }
      case 'pod': {
        const ports = party.ports
          .filter(({ name }) => portNames.has(name))
          .map(({ name, port, protocol }) => `${name}/${protocol}/${port}`);
        return [
          namespacesWithPolicy.has(party.namespace) ? party.namespace : '',
          this.#podSelectorMatches(podSelectors, party.labels),
          withOwnerOfUnknown(
            this.#selectorMatches(namespaceSelectors, party.namespaceLabels, party.namespaceLabelsKnown),
            party.namespace,
          ),
          this.#subjects.map((subject) => (subjectSelects(subject, party) === 'no' ? '0' : '1')).join(''),
          String(ports.sort()),
          String(party.addresses.map((address) => this.#rangeOf(address)).sort()),
        ].join(' ');
      }
    }
  }

  #rangeOf(address: Parameters<typeof rangeIndex>[1]): string {
    return `${addressFamily(address)}/${rangeIndex(this.#rangeStarts, address)}`;
  }

  /** An unknown match includes the keys whose values are not known, because the reason names them. */
  #podSelectorMatches(selectors: readonly LabelSelector[], labels: Labels): string {
    const matches = this.#cachedMatches(selectors, JSON.stringify(labels), (selector) => {
      const match = selectsPod(selector, labels);
      return match === 'maybe-valued' ? '?' : match === 'yes' ? '1' : '0';
    });
    return matches.includes('?') ? `${matches} ${keysWithoutValue(labels)}` : matches;
  }

  #selectorMatches(selectors: readonly LabelSelector[], labels: Labels, labelsKnown?: false): string {
    return this.#cachedMatches(selectors, `${labelsKnown ?? ''}${JSON.stringify(labels)}`, (selector) => {
      const match = selectsWithPartialLabels(selector, labels);
      if (match === 'maybe-labelled' && labelsKnown === false) return '?';
      return selects(selector, labels) ? '1' : '0';
    });
  }

  /** One character for each selector. */
  #cachedMatches(
    selectors: readonly LabelSelector[],
    key: string,
    matchOf: (selector: LabelSelector) => '0' | '1' | '?',
  ): string {
    let cachedMatches = this.#matchesBySelectors.get(selectors);
    if (cachedMatches === undefined) {
      cachedMatches = new Map();
      this.#matchesBySelectors.set(selectors, cachedMatches);
    }
    let matches = cachedMatches.get(key);
    if (matches === undefined) {
      matches = selectors.map(matchOf).join('');
      cachedMatches.set(key, matches);
    }
    return matches;
  }
}

/** An unknown match includes the owner of the unknown labels, because the reason names it. */
function withOwnerOfUnknown(matches: string, owner = ''): string {
  return matches.includes('?') ? `${matches} of ${owner}` : matches;
}

/** Two members of a class are two pods, so a representative at both ends is not the same pod (rule 12). */
function representativeOf(party: Party): Party {
  return party.kind === 'pod' ? { ...party, representsWorkload: true } : party;
}
