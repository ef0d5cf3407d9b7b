// A pod that no policy selects in a direction, in a namespace that has policies.
import type { Direction } from '../../model/verdict.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects, PodDeclaration } from '../declared-objects.ts';
import { isolatingPolicies, mayHaveOtherPolicy } from '../isolation.ts';
import { subjectOf } from '../rule-view.ts';

export const notSelected: LintRule = {
  name: 'not-selected',
  severity: 'medium',
  summary:
    'a pod that no policy selects, in a namespace that has a NetworkPolicy (`low` if a policy selects it in the other ' +
    'direction)',
  *find(declared) {
    const selected = { egress: selectedPods(declared, 'egress'), ingress: selectedPods(declared, 'ingress') };
    const withPolicy = new Set(declared.policies.map(({ namespace }) => namespace));
    const complained = new Set<string>();
    for (const pod of declared.pods) {
      if (pod.hostNetwork || !withPolicy.has(pod.namespace)) continue;
      const open = directions.filter((direction) => !selected[direction].has(pod));
      const { kind, name } = pod.object.workload;
      const key = `${pod.namespace}/${kind}/${name} ${open}`;
      if (open.length === 0 || complained.has(key) || mayHaveOtherPolicy(declared, pod)) continue;
      complained.add(key);
      yield {
        object: pod.object,
        path: [],
        ...(open.length === 1 && { severity: 'low' as const }),
        fault: faultOf(open, pod.object.kind === 'Pod'),
        fix: 'add a policy for it, or one that selects all pods of the namespace and allows nothing',
      };
    }
  },
};

const directions: readonly Direction[] = ['ingress', 'egress'];

function faultOf(open: readonly Direction[], isPod: boolean): string {
  const [selected, them, they] = isPod ? ['it', 'it', 'it'] : ['its pods', 'them', 'they'];
  const texts = { ingress: `everything can reach ${them}`, egress: `${they} can reach everything` };
  const effects = open.map((direction) => texts[direction]).join(', and ');
  return `no policy selects ${selected} for ${open.join(' and ')}, so ${effects}`;
}

/** A policy without rules for a direction selects no pod in it, if it is a cluster policy (rule 21). */
function selectedPods(declared: DeclaredObjects, direction: Direction): Set<PodDeclaration> {
  const selected = new Set(isolatingPolicies(declared, direction).keys());
  for (const policy of declared.validPolicies) {
    if (policy.kind === 'NetworkPolicy' || policy[direction].length === 0) continue;
    for (const pod of declared.selectablePods(subjectOf(policy).pods)) selected.add(pod);
  }
  return selected;
}
