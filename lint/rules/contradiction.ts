// Selectors that no labels fit, and blocks of which nothing is left: certain, whatever the cluster holds.

import { listed } from '../../policy/listed.ts';
import { isEmpty } from '../blocks.ts';
import type { Found, LintRule } from '../complaint.ts';
import { type PeerView, type SelectorView, type SoundPolicy, subjectOf } from '../rule-view.ts';
import { contradiction as contradictionOf, everyNamespace } from '../selectors.ts';
import { selectorText } from '../words.ts';

export const contradiction: LintRule = {
  name: 'contradiction',
  severity: 'high',
  summary: 'a selector that contradicts itself, or an `ipBlock` that its `except` takes out whole: it can never match',
  *find({ sound, rules }) {
    for (const policy of sound) yield* inSelectors(policy, subjectOf(policy).selectors);
    for (const { policy, peers } of rules) {
      if (peers !== 'everyone') for (const peer of peers) yield* inPeer(policy, peer);
    }
  },
};

function* inPeer(object: SoundPolicy, peer: PeerView): Iterable<Found> {
  switch (peer.is) {
    case 'pods':
      yield* inSelectors(object, peer.selectors);
      return;
    case 'nodes':
      yield* inSelectors(object, [{ of: 'pods', selector: peer.selector, path: [...peer.path, 'nodes'] }]);
      return;
    case 'addresses':
      for (const block of peer.blocks) {
        if (!isEmpty(block)) continue;
        const except = listed(block.except.map(({ text }) => text));
        const fault = `it can never match: except ${except} takes out all of ${block.cidr.text}`;
        yield { object, path: block.path, fault, mend: 'take out less of it' };
      }
      return;
    case 'names':
      return;
  }
}

function* inSelectors(object: SoundPolicy, selectors: readonly SelectorView[]): Iterable<Found> {
  for (const { of, selector, path } of selectors) {
    const key = contradictionOf(of === 'namespaces' ? [...selector, ...everyNamespace] : selector);
    if (key === undefined) continue;
    const text = selectorText(selector.filter((requirement) => requirement.key === key));
    const fault = `it contradicts itself and can never match: no labels fit ${text}`;
    yield { object, path, fault, mend: `ask for ${key} once, with all the values that may be` };
  }
}
