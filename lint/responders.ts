// The container ports that the ports of a rule may mean: those of whoever answers its connections (rule 10).
import type { ContainerPort } from '../model/kubernetes.ts';
import type { Declaration, Declared } from './declared.ts';
import type { RuleView } from './rule-view.ts';

const ofRules = new WeakMap<RuleView, readonly ContainerPort[] | undefined>();
const ofAll = new WeakMap<Declared, readonly ContainerPort[] | undefined>();

/** Each once; undefined where this folder has nobody who answers. */
export function portsBehind(rule: RuleView, declared: Declared): readonly ContainerPort[] | undefined {
  if (ofRules.has(rule)) return ofRules.get(rule);
  const ports = isOfAnybody(rule) ? portsOfAll(declared) : distinctPorts(respondersOf(rule, declared));
  ofRules.set(rule, ports);
  return ports;
}

/** An address may be any pod's. */
function isOfAnybody({ direction, peers }: RuleView): boolean {
  return direction === 'egress' && (peers === 'everyone' || peers.some((peer) => peer.is === 'addresses'));
}

function portsOfAll(declared: Declared): readonly ContainerPort[] | undefined {
  if (!ofAll.has(declared)) ofAll.set(declared, distinctPorts(declared.pods.filter(({ hostNetwork }) => !hostNetwork)));
  return ofAll.get(declared);
}

function respondersOf({ direction, subject, peers }: RuleView, declared: Declared): Declaration[] {
  if (direction === 'ingress' || peers === 'everyone') return declared.podsMeant(subject);
  return peers.flatMap((peer) => (peer.is === 'pods' ? declared.podsMeant(peer.pods) : []));
}

function distinctPorts(responders: readonly Declaration[]): readonly ContainerPort[] | undefined {
  if (responders.length === 0) return undefined;
  const ports = new Map<string, ContainerPort>();
  for (const one of responders)
    for (const port of one.ports) ports.set(`${port.name}/${port.protocol}/${port.port}`, port);
  return [...ports.values()];
}
