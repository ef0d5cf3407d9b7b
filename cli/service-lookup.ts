// The pods that may get a connection to a Service (rule 14): its ready endpoints. Manifests in Git have no EndpointSlices;
// then the pods that its selector selects.
import type { Address } from '../model/address.ts';
import type { EndpointSlice, LabelSelector, Service, ServicePort } from '../model/kubernetes.ts';
import { keysWithoutValue } from '../model/label-value.ts';
import { hasPorts, protocolName } from '../model/protocol.ts';
import type { NoEndpoints, UnknownReason } from '../model/verdict.ts';
import { labelSelectorOf } from '../policy/selectors.ts';
import type { Candidate } from './candidates.ts';
import { type QuestionFault, unknownServicePort } from './verdict-errors.ts';

/** `port` is the port of the endpoint, not of the Service; undefined for protocols without ports. */
export type ServiceCandidate = { candidate: Candidate; port: number | undefined };

/** `complete`: there are no other candidates. `why`: the reason if there is no candidate, or not all are known. */
export type ServiceCandidates = { known: readonly ServiceCandidate[]; complete: boolean; why?: UnknownReason };

/** `sure`: false if the value of a label that the selector requires is not known. */
export type MatchingPod = { candidate: Candidate; sure: boolean };

export type PodLookup = {
  /** `podName` is NS/NAME from the slice. Undefined if the endpoint cannot be identified. */
  endpointAt(address: Address, podName: string | undefined): Candidate | undefined;
  matchingPods(namespace: string, selector: LabelSelector): readonly MatchingPod[];
};

type Endpoint = { address: Address; pod: string | undefined; port: number | undefined };

/** With another domain at the end, it is a Service of another cluster, or of several. */
const serviceDnsName = /^([^.]+)\.([^.]+)\.svc(?:\.cluster\.local)?$/;

/** DNS names behind one another; more are a loop. */
const maxNames = 8;

export class ServiceLookup {
  readonly #pods: PodLookup;
  readonly #byName = new Map<string, Service>();
  readonly #byAddress = new Map<Address, Service>();
  readonly #byNodePort = new Map<string, { service: Service; port: number }>();
  readonly #slices = new Map<string, EndpointSlice[]>();
  readonly #selected = new Map<Service, readonly MatchingPod[]>();

  constructor(pods: PodLookup) {
    this.#pods = pods;
  }

  add(service: Service): void {
    this.#byName.set(qualifiedNameOf(service), service);
    for (const address of service.addresses) this.#byAddress.set(address, service);
    for (const { protocol, port, nodePort } of service.ports) {
      if (nodePort !== 0) this.#byNodePort.set(`${protocol}/${nodePort}`, { service, port });
    }
  }

  addSlice(slice: EndpointSlice): void {
    const service = `${slice.namespace}/${slice.service}`;
    this.#slices.set(service, [...(this.#slices.get(service) ?? []), slice]);
  }

  byName(qualifiedName: string): Service | undefined {
    return this.#byName.get(qualifiedName);
  }

  byAddress(address: Address): Service | undefined {
    return this.#byAddress.get(address);
  }

  /** The Service with this node port, and the Service port that it belongs to. */
  byNodePort(protocol: number, nodePort: number | string | undefined): { service: Service; port: number } | undefined {
    return this.#byNodePort.get(`${protocol}/${nodePort}`);
  }

  /** `port` is a port of the Service, by number or name; of a headless Service, it may be any port of its pods. */
  candidatesFor(
    service: Service,
    protocol: number,
    port: number | string | undefined,
  ): ServiceCandidates | QuestionFault {
    if (service.externalName !== undefined) return this.#candidatesByExternalName(service, protocol, port);
    const slices = this.#slices.get(qualifiedNameOf(service));
    const servicePort = service.ports.find(
      (one) => one.protocol === protocol && (typeof port === 'number' ? one.port === port : one.name === port),
    );
    if (service.headless) return this.#podsAtTheirOwnPort(service, slices, protocol, port, servicePort);
    if (!hasPorts(protocol)) {
      if (slices !== undefined) return this.#candidatesIn(service, slices, () => ({ port: undefined }));
      return this.#candidatesBySelector(service, () => [undefined]);
    }
    if (servicePort === undefined)
      return unknownServicePort(qualifiedNameOf(service), protocolName(protocol), String(port));
    if (slices !== undefined) return this.#candidatesIn(service, slices, (slice) => slicePortOf(slice, servicePort));
    return this.#candidatesBySelector(service, (candidate) => targetPortsOf(candidate, servicePort), servicePort);
  }

  /** The name is resolved by DNS: to another Service, or to an address outside the cluster that no manifest has. */
  #candidatesByExternalName(
    { namespace, name, externalName = '', ports }: Service,
    protocol: number,
    port: number | string | undefined,
  ): ServiceCandidates | QuestionFault {
    const service = this.#serviceNamed(externalName);
    if (service === undefined) {
      return unknown({ reason: 'external-name', service: `${namespace}/${name}`, name: externalName });
    }
    const named = ports.find((one) => one.name === port && one.protocol === protocol);
    return this.candidatesFor(service, protocol, named?.port ?? port);
  }

  /** The Service with the DNS name, which may be a name for another name. */
  #serviceNamed(dnsName: string, depth = 0): Service | undefined {
    const [, name, namespace] = serviceDnsName.exec(dnsName) ?? [];
    const service = this.#byName.get(`${namespace}/${name}`);
    if (service?.externalName === undefined) return service;
    return depth < maxNames ? this.#serviceNamed(service.externalName, depth + 1) : undefined;
  }

  /** The DNS name of a headless Service has the addresses of its pods, so ports are not translated. */
  #podsAtTheirOwnPort(
    service: Service,
    slices: readonly EndpointSlice[] | undefined,
    protocol: number,
    port: number | string | undefined,
    servicePort: ServicePort | undefined,
  ): ServiceCandidates | QuestionFault {
    if (typeof port !== 'string') {
      if (slices !== undefined) return this.#candidatesIn(service, slices, () => ({ port }));
      return this.#candidatesBySelector(service, () => [port]);
    }
    // The SRV record of a port name has the port of the pods.
    if (servicePort !== undefined) {
      if (slices !== undefined) return this.#candidatesIn(service, slices, (slice) => slicePortOf(slice, servicePort));
      return this.#candidatesBySelector(service, (candidate) => targetPortsOf(candidate, servicePort), servicePort);
    }
    const endpoints = slices?.flatMap((slice) => endpointsIn(slice, undefined)) ?? [];
    const candidates = slices
      ? endpoints.flatMap(({ address, pod }) => this.#pods.endpointAt(address, pod) ?? [])
      : this.#podsSelectedBy(service).map(({ candidate }) => candidate);
    const numbers = new Set(candidates.flatMap((candidate) => portsNamed(candidate, port, protocol)));
    const [number, ...others] = numbers;
    if (number === undefined || others.length > 0)
      return unknownServicePort(qualifiedNameOf(service), protocolName(protocol), port);
    return this.#podsAtTheirOwnPort(service, slices, protocol, number, undefined);
  }

  /** `portIn` is undefined for a slice without the port. Several slices may list the same endpoint. */
  #candidatesIn(
    service: Service,
    slices: readonly EndpointSlice[],
    portIn: (slice: EndpointSlice) => { port: number | undefined } | undefined,
  ): ServiceCandidates {
    const endpoints = new Map<string, Endpoint>();
    for (const slice of slices) {
      const target = portIn(slice);
      if (target === undefined) continue;
      for (const one of endpointsIn(slice, target.port)) {
        const key = `${one.address} ${one.port}`;
        if (endpoints.get(key)?.pod === undefined) endpoints.set(key, one);
      }
    }
    const candidates = [...endpoints.values()].map(({ address, pod, port }) => {
      return { candidate: this.#pods.endpointAt(address, pod), port };
    });
    const known = candidates.flatMap(({ candidate, port }) => (candidate === undefined ? [] : { candidate, port }));
    const isBroken = slices.some(({ broken }) => broken);
    if (candidates.length === 0 && !isBroken) return withoutEndpoints(service, { why: 'none-ready' });
    return { known, complete: !isBroken && known.length === candidates.length };
  }

  /** `portsOf` is empty for a pod that is not an endpoint, because it lacks the named target port. */
  #candidatesBySelector(
    service: Service,
    portsOf: (candidate: Candidate) => readonly (number | undefined)[],
    servicePort?: ServicePort,
  ): ServiceCandidates {
    if (service.selector === undefined) return withoutEndpoints(service, { why: 'no-selector' });
    const selected = this.#podsSelectedBy(service);
    if (selected.length === 0) return withoutEndpoints(service, { why: 'selects-no-pod', selector: service.selector });
    const known = selected.flatMap(({ candidate }) => portsOf(candidate).map((port) => ({ candidate, port })));
    const { targetPort, protocol } = servicePort ?? {};
    if (known.length === 0 && typeof targetPort === 'string' && protocol !== undefined) {
      return withoutEndpoints(service, { why: 'no-such-port', port: targetPort, protocol });
    }
    const unsure = selected.find(({ sure }) => !sure);
    if (unsure === undefined) return { known, complete: true };
    const labels = valuesNotKnown(unsure.candidate).filter((key) => Object.hasOwn(service.selector!, key));
    return { ...withoutEndpoints(service, { why: 'selector-not-known', labels }), known };
  }

  #podsSelectedBy(service: Service): readonly MatchingPod[] {
    let selected = this.#selected.get(service);
    if (selected === undefined) {
      const selector = labelSelectorOf(service.selector ?? {});
      selected = selector.length === 0 ? [] : this.#pods.matchingPods(service.namespace, selector);
      this.#selected.set(service, selected);
    }
    return selected;
  }
}

function qualifiedNameOf({ namespace, name }: Service): string {
  return `${namespace}/${name}`;
}

function unknown(why: UnknownReason): ServiceCandidates {
  return { known: [], complete: false, why };
}

function withoutEndpoints(service: Service, none: NoEndpoints): ServiceCandidates {
  return unknown({ reason: 'no-endpoints', service: qualifiedNameOf(service), none });
}

function valuesNotKnown({ parties }: Candidate): string[] {
  return parties.flatMap((party) => (party.kind === 'pod' ? keysWithoutValue(party.labels) : []));
}

function slicePortOf(slice: EndpointSlice, { name, protocol }: ServicePort): { port: number } | undefined {
  return slice.ports.find((one) => one.name === name && one.protocol === protocol);
}

function endpointsIn(slice: EndpointSlice, port: number | undefined): Endpoint[] {
  return slice.addresses.map((address) => ({ address, pod: slice.pods?.[address], port }));
}

function targetPortsOf(candidate: Candidate, { port, protocol, targetPort = port }: ServicePort): readonly number[] {
  return typeof targetPort === 'number' ? [targetPort] : portsNamed(candidate, targetPort, protocol).slice(0, 1);
}

function portsNamed({ ports }: Candidate, name: string, protocol: number): number[] {
  return ports.filter((one) => one.name === name && one.protocol === protocol).map(({ port }) => port);
}
