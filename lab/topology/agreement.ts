// Checks that the topology and its manifests agree: every name that the topology uses must be in the manifests.
import type { Problem } from '../../model/problem.ts';
import { disagreement } from '../system/errors.ts';
import { addressesOf, familyOf, type Place, placeText, type World } from './places.ts';
import { allSteps } from './step.ts';
import type { Topology } from './topology.ts';

export function disagreements(topology: Topology, world: World): Problem[] {
  const problems: Problem[] = [];
  const nodes = new Set(world.cluster.nodes.map((node) => node.name));
  const report = (fault: string, fix: string) => problems.push(disagreement(topology.file, fault, fix));
  for (const pod of world.cluster.pods) {
    const name = `pod ${pod.namespace}/${pod.name}`;
    if (!nodes.has(pod.node)) report(`${name} runs on node ${pod.node}, which has no manifest`, 'add the Node');
    if (pod.addresses.length === 0) report(`${name} has no address`, 'set status.podIPs');
  }
  for (const { namespace, name } of topology.redirected) {
    const isThere = world.cluster.pods.some((pod) => pod.namespace === namespace && pod.name === name);
    if (!isThere) report(`${namespace}/${name} is in no manifest`, 'use a name from the manifests');
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
      report(`${placeText(step.dial.to)} has no ${step.dial.family} address`, 'set family, or add an address');
    }
  }
  // A pod that a step creates is not in the manifests at the start.
  if (created.size > 0) return problems;
  for (const place of places) {
    if (addressesOf(place, world) === undefined) {
      report(`${placeText(place)} is in no manifest`, 'use a name from the manifests');
    }
  }
  return problems;
}
