// The container ports that the ports of a rule refer to: those of the responders (rule 10).
import type { ContainerPort } from '../model/kubernetes.ts';
import type { DeclaredObjects, PodDeclaration } from './declared-objects.ts';
import type { RuleView } from './rule-view.ts';

const portsByRule = new WeakMap<RuleView, readonly ContainerPort[] | undefined>();
const portsOfAllPods = new WeakMap<DeclaredObjects, readonly ContainerPort[] | undefined>();

/** Each port once; undefined if the manifests have no responder. */
export function responderPorts(rule: RuleView, declared: DeclaredObjects): readonly ContainerPort[] | undefined {
  if (portsByRule.has(rule)) return portsByRule.get(rule);
  const ports = mayReachAnyPod(rule) ? portsOfAll(declared) : distinctPorts(respondersOf(rule, declared));
  portsByRule.set(rule, ports);
  return ports;
}

/** An address may belong to any pod. */
function mayReachAnyPod({ direction, peers }: RuleView): boolean {
  return direction === 'egress' && (peers === 'everyone' || peers.some((peer) => peer.kind === 'addresses'));
}

function portsOfAll(declared: DeclaredObjects): readonly ContainerPort[] | undefined {
  if (!portsOfAllPods.has(declared))
    portsOfAllPods.set(declared, distinctPorts(declared.pods.filter(({ hostNetwork }) => !hostNetwork)));
  return portsOfAllPods.get(declared);
}

function respondersOf({ direction, subject, peers }: RuleView, declared: DeclaredObjects): PodDeclaration[] {
  if (direction === 'ingress' || peers === 'everyone') return declared.selectablePods(subject);
  return peers.flatMap((peer) => (peer.kind === 'pods' ? declared.selectablePods(peer.pods) : []));
}

function distinctPorts(responders: readonly PodDeclaration[]): readonly ContainerPort[] | undefined {
  if (responders.length === 0) return undefined;
  const ports = new Map<string, ContainerPort>();
  for (const one of responders)
    for (const port of one.ports) ports.set(`${port.name}/${port.protocol}/${port.port}`, port);
  return [...ports.values()];
}
