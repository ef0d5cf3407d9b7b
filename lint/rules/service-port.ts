// A port of a Service in a policy. Policies see the port of the pod, after the Service's address was translated.
import type { Service, ServicePort } from '../../model/kubernetes.ts';
import { listText } from '../../policy/list-text.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects, PodDeclaration } from '../declared-objects.ts';
import type { PodScope, RuleView } from '../rule-view.ts';

export const servicePort: LintRule = {
  name: 'service-port',
  severity: 'high',
  summary: 'a port of a Service whose pods listen on another port: policies see the port of the pod',
  *find(declared) {
    const servicesByPod = new ServicesByPod(declared);
    for (const rule of declared.rules) {
      if (rule.notUnderstood !== undefined || rule.ports.length === 0) continue;
      let responders: readonly PodDeclaration[] | undefined;
      for (const entry of rule.ports) {
        const { port, endPort, protocol, path } = entry;
        if (typeof port !== 'number' || (endPort !== undefined && endPort !== port)) continue;
        responders ??= respondersOf(rule, declared);
        if (responders.some((pod) => listensOn(pod, port, protocol, servicesByPod))) continue;
        const targets = responders.flatMap((pod) => servicesByPod.targetsOf(pod, port, protocol));
        const missing = targets.filter(({ target }) => !isAllowed(rule, target));
        const [first] = missing;
        if (first === undefined) continue;
        const ports = [...new Set(missing.map(({ target }) => target))].sort((a, b) => a - b).map(String);
        const what = first.nodePort ? 'the node port' : 'the port';
        const services = [...new Set(missing.map(({ service }) => `${service.namespace}/${service.name}`))];
        yield {
          object: rule.policy,
          path,
          fault: `port ${port} is ${what} of Service ${listText(services, ' and ')}, and the pods listen on ${listText(ports)}, so the rule does not match their connections`,
          fix: `write port ${listText(ports, ' and ')} in place of ${port}`,
        };
      }
    }
  },
};

/** Egress to everyone or to addresses may mean any pod, so it has no responders here. */
function respondersOf({ direction, subject, peers }: RuleView, declared: DeclaredObjects): readonly PodDeclaration[] {
  if (direction === 'ingress') return declared.selectablePods(subject);
  if (peers === 'everyone' || peers.some((peer) => peer.kind !== 'pods' || isAnyPod(peer.pods))) return [];
  return peers.flatMap((peer) => (peer.kind === 'pods' ? declared.selectablePods(peer.pods) : []));
}

function isAnyPod({ namespace, namespaceSelector, podSelector }: PodScope): boolean {
  return namespace === undefined && namespaceSelector.length === 0 && podSelector.length === 0;
}

function listensOn(pod: PodDeclaration, port: number, protocol: number | undefined, services: ServicesByPod): boolean {
  const isPort = (one: { port: number; protocol: number }) =>
    one.port === port && (protocol === undefined || one.protocol === protocol);
  return pod.ports.some(isPort) || services.listenedPorts(pod).some(isPort);
}

/** Whether the rule has the port of the pods as well. */
function isAllowed({ ports }: RuleView, target: number): boolean {
  return ports.some(({ port, endPort }) => typeof port === 'number' && port <= target && target <= (endPort ?? port));
}

type Target = { service: Service; target: number; nodePort: boolean };

/** `possible`: with those that select the pod if a label has a value that is not known. */
type ServicesOfPod = { certain: readonly Service[]; possible: readonly Service[] };

class ServicesByPod {
  readonly #declared: DeclaredObjects;
  readonly #services: ReadonlyMap<string, readonly Service[]>;
  readonly #byPod = new Map<PodDeclaration, ServicesOfPod>();

  /** A headless Service translates no ports. */
  constructor(declared: DeclaredObjects) {
    this.#declared = declared;
    const translating = declared.services.filter(({ headless }) => !headless);
    this.#services = Map.groupBy(translating, ({ namespace }) => namespace);
  }

  /** The ports of the pod behind this port of its Services. */
  targetsOf(pod: PodDeclaration, port: number, protocol: number | undefined): Target[] {
    return this.#servicesOf(pod).certain.flatMap((service) =>
      service.ports.flatMap((one) => {
        if (protocol !== undefined && one.protocol !== protocol) return [];
        if (one.port !== port && one.nodePort !== port) return [];
        const target = targetPortOf(one, pod);
        return target === undefined || target === port ? [] : { service, target, nodePort: one.port !== port };
      }),
    );
  }

  /** The ports that its Services send to, or may send to. */
  listenedPorts(pod: PodDeclaration): { port: number; protocol: number }[] {
    return this.#servicesOf(pod).possible.flatMap(({ ports }) =>
      ports.flatMap((one) => {
        const port = targetPortOf(one, pod);
        return port === undefined ? [] : { port, protocol: one.protocol };
      }),
    );
  }

  #servicesOf(pod: PodDeclaration): ServicesOfPod {
    let found = this.#byPod.get(pod);
    if (found === undefined) {
      const inNamespace = this.#services.get(pod.namespace) ?? [];
      const possible = inNamespace.filter((service) => this.#declared.isBehind(pod, service) !== 'no');
      found = { possible, certain: possible.filter((service) => this.#declared.isBehind(pod, service) === 'yes') };
      this.#byPod.set(pod, found);
    }
    return found;
  }
}

/** Undefined if the pod has no port of that name, so it is no endpoint. */
function targetPortOf({ port, protocol, targetPort = port }: ServicePort, pod: PodDeclaration): number | undefined {
  if (typeof targetPort === 'number') return targetPort;
  return pod.ports.find((one) => one.name === targetPort && one.protocol === protocol)?.port;
}
