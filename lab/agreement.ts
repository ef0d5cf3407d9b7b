// Whether topology and manifests speak of the same cluster: every name that the topology uses must be there.
import type { Problem } from '../model/problem.ts';
import { disagreement } from './errors.ts';
import { addressesOf, familyOf, type Place, placeText, type World } from './places.ts';
import type { Topology } from './topology.ts';
import { allSteps } from './traffic/step.ts';

export function disagreements(topology: Topology, world: World): Problem[] {
  const problems: Problem[] = [];
  const nodes = new Set(world.cluster.nodes.map((node) => node.name));
  const say = (fault: string, mend: string) => problems.push(disagreement(topology.file, fault, mend));
  for (const pod of world.cluster.pods) {
    const name = `pod ${pod.namespace}/${pod.name}`;
    if (!nodes.has(pod.node)) say(`${name} runs on node ${pod.node}, which has no manifest`, 'add the Node');
    if (pod.addresses.length === 0) say(`${name} has no address`, 'set status.podIPs');
  }
  for (const { namespace, name } of topology.redirected) {
    const isThere = world.cluster.pods.some((pod) => pod.namespace === namespace && pod.name === name);
    if (!isThere) say(`${namespace}/${name} is in no manifest`, 'name what the manifests have');
  }
  const created = new Set<string>();
  for (const step of allSteps(topology.traffic)) if (step.do === 'create') created.add(step.file);
  const places: Place[] = topology.enforcement.flatMap((rule) => [rule.from, rule.to]);
  for (const step of allSteps(topology.traffic)) {
    if (step.do === 'enforce') places.push(step.rule.from, step.rule.to);
    if (step.do !== 'connect' && step.do !== 'open') continue;
    places.push(step.dial.from, step.dial.to);
    const to = addressesOf(step.dial.to, world);
    if (created.size === 0 && to !== undefined && !to.some((address) => familyOf(address) === step.dial.family)) {
      say(`${placeText(step.dial.to)} has no ${step.dial.family} address`, 'set family, or give it one');
    }
  }
  // A pod that a step creates is not there at the beginning.
  if (created.size > 0) return problems;
  for (const place of places) {
    if (addressesOf(place, world) === undefined) {
      say(`${placeText(place)} is in no manifest`, 'name what the manifests have');
    }
  }
  return problems;
}
