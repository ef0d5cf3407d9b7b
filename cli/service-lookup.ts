// The pods that may get a connection to a Service (rule 14): its ready endpoints. Manifests in Git have no EndpointSlices;
// then the pods that its selector selects.
import type { Address } from '../model/address.ts';
import type { EndpointSlice, Labels, Service, ServicePort } from '../model/kubernetes.ts';
import { hasPorts, protocolName } from '../model/protocol.ts';
import type { Candidate } from './candidates.ts';
import { type QuestionFault, unknownServicePort } from './verdict-errors.ts';

/** `port` is the port of the endpoint, not of the Service; undefined for protocols without ports. */
export type ServiceCandidate = { candidate: Candidate; port: number | undefined };

/** `complete`: the Service has no other candidates. */
export type ServiceCandidates = { known: readonly ServiceCandidate[]; complete: boolean };

export type PodLookup = {
  /** `podName` is NS/NAME from the slice. Undefined if the endpoint cannot be identified. */
  endpointAt(address: Address, podName: string | undefined): Candidate | undefined;
  matchingPods(namespace: string, labels: Labels): readonly Candidate[];
};

export class ServiceLookup {
  readonly #pods: PodLookup;
  readonly #byName = new Map<string, Service>();
  readonly #byAddress = new Map<Address, Service>();
  readonly #byNodePort = new Map<string, { service: Service; port: number }>();
  readonly #slices = new Map<string, EndpointSlice[]>();
  readonly #selected = new Map<Service, readonly Candidate[]>();

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

  /** `port` is a port of the Service, by number or name. */
  candidatesFor(
    service: Service,
    protocol: number,
    port: number | string | undefined,
  ): ServiceCandidates | QuestionFault {
    const slices = this.#slices.get(qualifiedNameOf(service));
    if (!hasPorts(protocol)) {
      if (slices !== undefined) return merge(slices.map((slice) => this.#candidatesInSlice(slice, undefined)));
      return {
        known: this.#podsSelectedBy(service).map((candidate) => ({ candidate, port: undefined })),
        complete: true,
      };
    }
    const servicePort = service.ports.find(
      (one) => one.protocol === protocol && (typeof port === 'number' ? one.port === port : one.name === port),
    );
    if (servicePort === undefined)
      return unknownServicePort(qualifiedNameOf(service), protocolName(protocol), String(port));
    if (slices === undefined) return { known: this.#candidatesBySelector(service, servicePort), complete: true };
    return merge(
      slices.map((slice) => {
        const slicePort = slice.ports.find((one) => one.name === servicePort.name && one.protocol === protocol);
        if (slicePort === undefined) return { known: [], complete: !slice.broken };
        return this.#candidatesInSlice(slice, service.headless ? servicePort.port : slicePort.port);
      }),
    );
  }

  #candidatesInSlice(slice: EndpointSlice, port: number | undefined): ServiceCandidates {
    const candidates = slice.addresses.map((address) => this.#pods.endpointAt(address, slice.pods?.[address]));
    const known = candidates.flatMap((candidate) => (candidate === undefined ? [] : { candidate, port }));
    return { known, complete: !slice.broken && known.length === candidates.length };
  }

  /** A pod without the named target port is not an endpoint. */
  #candidatesBySelector(service: Service, { port, protocol, targetPort = port }: ServicePort): ServiceCandidate[] {
    return this.#podsSelectedBy(service).flatMap((candidate): ServiceCandidate | ServiceCandidate[] => {
      if (service.headless) return { candidate, port };
      if (typeof targetPort === 'number') return { candidate, port: targetPort };
      const namedPort = candidate.ports.find((one) => one.name === targetPort && one.protocol === protocol);
      return namedPort === undefined ? [] : { candidate, port: namedPort.port };
    });
  }

  #podsSelectedBy(service: Service): readonly Candidate[] {
    let selected = this.#selected.get(service);
    if (selected === undefined) {
      selected = service.selector === undefined ? [] : this.#pods.matchingPods(service.namespace, service.selector);
      this.#selected.set(service, selected);
    }
    return selected;
  }
}

function qualifiedNameOf({ namespace, name }: Service): string {
  return `${namespace}/${name}`;
}

function merge(parts: readonly ServiceCandidates[]): ServiceCandidates {
  return { known: parts.flatMap(({ known }) => known), complete: parts.every(({ complete }) => complete) };
}
