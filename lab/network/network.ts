// The whole network of a topology as one plan.

import { collectorNamespace, fabricNamespace, nodeNamespace, outsideNamespace, podNamespace } from '../system/names.ts';
import { collectorPlan, fabricLinks, fabricPlan, outsidePlan } from './fabric.ts';
import { type LabWorld, nodePlan, podLinkPlan, podPlan, podSidePlan } from './node.ts';
import type { NetworkPlan } from './plan.ts';

export function networkPlan(world: LabWorld): NetworkPlan {
  const { id, cluster, outside, topology } = world;
  const pods = cluster.pods.filter((pod) => !pod.hostNetwork);
  return {
    namespaces: [
      fabricNamespace(id),
      collectorNamespace(id),
      ...cluster.nodes.map((node) => nodeNamespace(id, node.name)),
      ...pods.map((pod) => podNamespace(id, pod)),
      ...outside.map((host) => outsideNamespace(id, host.name)),
    ],
    links: [...fabricLinks(id, cluster, outside), ...pods.map((pod) => podLinkPlan(id, pod))],
    inside: [
      fabricPlan(id, cluster, topology.underlay, outside),
      collectorPlan(id, topology.underlay),
      ...outside.map((host) => outsidePlan(id, host)),
      ...pods.map((pod) => podPlan(world, pod)),
      // One plan a node, so that its parts do not meet in one namespace at the same time.
      ...cluster.nodes.map((node) => {
        const own = nodePlan(world, node);
        const sides = pods.filter((pod) => pod.node === node.name).map((pod) => podSidePlan(world, pod));
        return {
          ...own,
          settings: [...own.settings, ...sides.flatMap((side) => side.settings)],
          ip: [...own.ip, ...sides.flatMap((side) => side.ip)],
          after: sides.flatMap((side) => side.after),
        };
      }),
    ],
  };
}
