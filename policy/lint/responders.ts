// Who answers the connections that a rule is about: those whose container ports its ports name (rule 10).
import type { Declaration, Declared } from './declared.ts';
import type { RuleView } from './rule-view.ts';

/** The pods of the folder; for egress to everyone, all of them. */
export function respondersOf(rule: RuleView, declared: Declared): Declaration[] {
  if (rule.direction === 'ingress') return declared.podsMeant(rule.subject);
  if (rule.peers === 'everyone') return declared.pods.filter(({ hostNetwork }) => !hostNetwork);
  const found = rule.peers.flatMap((peer) => {
    if (peer.is === 'pods') return declared.podsMeant(peer.pods);
    // An address may be any pod's.
    return peer.is === 'addresses' ? declared.pods.filter(({ hostNetwork }) => !hostNetwork) : [];
  });
  return [...new Set(found)];
}
