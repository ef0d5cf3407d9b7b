// A reason for programs: findings of unknown verdicts are counted by it, so it must not change with the text for people.
import type { UnknownReason } from '../model/verdict.ts';

/** One line with the reason and its policies, without times and addresses. It is stored: a change orphans findings. */
export function reasonKey(why: UnknownReason): string {
  const policies = 'policies' in why ? why.policies : [];
  const names = policies.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
  return [why.reason, ...new Set(names.sort())].join(' ');
}
