// Selectors that no labels satisfy, and blocks that `except` covers completely. They never match in any cluster.

import { listText } from '../../policy/list-text.ts';
import { contradictoryKey, everyNamespace } from '../../policy/selector-sets.ts';
import { isEmpty } from '../blocks.ts';
import type { LintRule, RuleComplaint } from '../complaint.ts';
import { type PeerView, type SelectorView, subjectOf, type ValidPolicy } from '../rule-view.ts';
import { selectorText } from '../text.ts';

export const contradiction: LintRule = {
  name: 'contradiction',
  severity: 'high',
  summary: 'a selector that contradicts itself, or an `ipBlock` whose `except` covers all of it: it can never match',
  *find({ validPolicies, rules }) {
    for (const policy of validPolicies) yield* complaintsOfSelectors(policy, subjectOf(policy).selectors);
    for (const { policy, peers } of rules) {
      if (peers !== 'everyone') for (const peer of peers) yield* complaintsOfPeer(policy, peer);
    }
  },
};

function* complaintsOfPeer(object: ValidPolicy, peer: PeerView): Iterable<RuleComplaint> {
  switch (peer.kind) {
    case 'pods':
      yield* complaintsOfSelectors(object, peer.selectors);
      return;
    case 'nodes':
      yield* complaintsOfSelectors(object, [
        { target: 'pods', selector: peer.selector, path: [...peer.path, 'nodes'] },
      ]);
      return;
    case 'addresses':
      for (const block of peer.blocks) {
        if (!isEmpty(block)) continue;
        const except = listText(block.except.map(({ text }) => text));
        const fault = `it can never match: except ${except} covers all of ${block.cidr.text}`;
        yield { object, path: block.path, fault, fix: 'make except smaller' };
      }
      return;
    case 'names':
      return;
  }
}

function* complaintsOfSelectors(object: ValidPolicy, selectors: readonly SelectorView[]): Iterable<RuleComplaint> {
  for (const { target, selector, path } of selectors) {
    const key = contradictoryKey(target === 'namespaces' ? [...selector, ...everyNamespace] : selector);
    if (key === undefined) continue;
    const text = selectorText(selector.filter((requirement) => requirement.key === key));
    const fault = `it can never match: no labels satisfy ${text}`;
    yield { object, path, fault, fix: `require ${key} once, with all allowed values` };
  }
}
