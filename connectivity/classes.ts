// Parties that no policy can tell apart are one class, and are judged once. What node one is on is no part of it: what
// that changes (rule 12) is asked for by placement.
import type { LabelSelector, Labels, Policy } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { mayAlsoSelect, selects } from '../policy/selectors.ts';
import { type Cuts, cutsOf, familyOf, rangeIndex } from './address-ranges.ts';
import { type Mentions, mentionsOf } from './mentions.ts';

/** `party` stands for all of its class; `id` counts from 0. */
export type PartyClass = { id: number; party: Party };

export class Classes {
  readonly #mentions: Mentions;
  readonly #cuts: Cuts;
  readonly #known = new Map<string, PartyClass>();
  readonly #answers = new Map<readonly LabelSelector[], Map<string, string>>();

  /** Of all policies that anybody will be judged by: of two sets that are compared, both. */
  constructor(policies: readonly Policy[]) {
    this.#mentions = mentionsOf(policies);
    this.#cuts = cutsOf(this.#mentions.prefixes);
  }

  of(party: Party): PartyClass {
    const key = this.#keyOf(party);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fresh = { id: this.#known.size, party: standIn(party) };
    this.#known.set(key, fresh);
    return fresh;
  }

  #keyOf(party: Party): string {
    const { governed, podSelectors, namespaceSelectors, nodeSelectors, portNames } = this.#mentions;
    switch (party.kind) {
      case 'some-node':
        return 'some-node';
      case 'address': {
        const { node, nodeLabels, nodeLabelsKnown, names = [] } = party;
        const labels = nodeLabels && told(this.#answersOf(nodeSelectors, nodeLabels, nodeLabelsKnown), node);
        return `address ${this.#rangeOf(party.address)} ${node !== undefined} ${nodeLabels !== undefined} ${labels} ${names}`;
      }
      case 'pod': {
        const ports = party.ports
          .filter(({ name }) => portNames.has(name))
          .map(({ name, port, protocol }) => `${name}/${protocol}/${port}`);
        return [
          governed.has(party.namespace) ? party.namespace : '',
          this.#answersOf(podSelectors, party.labels),
          told(this.#answersOf(namespaceSelectors, party.namespaceLabels, party.namespaceLabelsKnown), party.namespace),
          String(ports.sort()),
          String(party.addresses.map((address) => this.#rangeOf(address)).sort()),
        ].join(' ');
      }
    }
  }

  #rangeOf(address: Parameters<typeof rangeIndex>[1]): string {
    return `${familyOf(address)}/${rangeIndex(this.#cuts, address)}`;
  }

  /** One character for each selector. */
  #answersOf(selectors: readonly LabelSelector[], labels: Labels, known?: false): string {
    let ofSelectors = this.#answers.get(selectors);
    if (ofSelectors === undefined) {
      ofSelectors = new Map();
      this.#answers.set(selectors, ofSelectors);
    }
    const key = `${known ?? ''}${JSON.stringify(labels)}`;
    let answers = ofSelectors.get(key);
    if (answers === undefined) {
      answers = selectors
        .map((selector) => {
          const match = mayAlsoSelect(selector, labels);
          if (match === 'maybe-labelled' && known === false) return '?';
          return selects(selector, labels) ? '1' : '0';
        })
        .join('');
      ofSelectors.set(key, answers);
    }
    return answers;
  }
}

/** A doubt names whose labels are not known. */
function told(answers: string, whose = ''): string {
  return answers.includes('?') ? `${answers} of ${whose}` : answers;
}

/** Another of its class is another pod, so the stand-in is never itself at both ends (rule 12). */
function standIn(party: Party): Party {
  return party.kind === 'pod' ? { ...party, ofWorkload: true } : party;
}
