// Who may get a connection to a Service (rule 14): its ready endpoints, or the pods that its selector selects where the
// manifests, as those in Git, tell of no endpoints.
import type { Address } from '../model/address.ts';
import type { EndpointSlice, Labels, Service, ServicePort } from '../model/kubernetes.ts';
import { hasPorts, protocolName } from '../model/protocol.ts';
import type { Candidate } from './candidates.ts';
import { type Fault, unknownServicePort } from './verdict-errors.ts';

/** `port` is the endpoint's own; undefined for protocols without ports. */
export type Backend = { candidate: Candidate; port: number | undefined };

/** `all`: there is none beside the known ones. */
export type Backends = { known: readonly Backend[]; all: boolean };

/** The pods that there are. */
export type Pods = {
  /** `named`: the pod that the slice tells, NS/NAME. Undefined where nobody can tell who it is. */
  endpointAt(address: Address, named: string | undefined): Candidate | undefined;
  selected(namespace: string, labels: Labels): readonly Candidate[];
};

export class ServiceBackends {
  readonly #pods: Pods;
  readonly #byName = new Map<string, Service>();
  readonly #atAddress = new Map<Address, Service>();
  readonly #atNodePort = new Map<string, { service: Service; port: number }>();
  readonly #slices = new Map<string, EndpointSlice[]>();
  readonly #selected = new Map<Service, readonly Candidate[]>();

  constructor(pods: Pods) {
    this.#pods = pods;
  }

  add(service: Service): void {
    this.#byName.set(titleOf(service), service);
    for (const address of service.addresses) this.#atAddress.set(address, service);
    for (const { protocol, port, nodePort } of service.ports) {
      if (nodePort !== 0) this.#atNodePort.set(`${protocol}/${nodePort}`, { service, port });
    }
  }

  addSlice(slice: EndpointSlice): void {
    const service = `${slice.namespace}/${slice.service}`;
    this.#slices.set(service, [...(this.#slices.get(service) ?? []), slice]);
  }

  named(title: string): Service | undefined {
    return this.#byName.get(title);
  }

  at(address: Address): Service | undefined {
    return this.#atAddress.get(address);
  }

  /** The Service that every node answers for at that port, and which of its own ports that is. */
  atNodePort(protocol: number, nodePort: number | string | undefined): { service: Service; port: number } | undefined {
    return this.#atNodePort.get(`${protocol}/${nodePort}`);
  }

  /** Behind the Service's port, given by number or name. */
  of(service: Service, protocol: number, port: number | string | undefined): Backends | Fault {
    const slices = this.#slices.get(titleOf(service));
    if (!hasPorts(protocol)) {
      if (slices !== undefined) return together(slices.map((slice) => this.#inSlice(slice, undefined)));
      return { known: this.#selectedBy(service).map((candidate) => ({ candidate, port: undefined })), all: true };
    }
    const front = service.ports.find(
      (one) => one.protocol === protocol && (typeof port === 'number' ? one.port === port : one.name === port),
    );
    if (front === undefined) return unknownServicePort(titleOf(service), protocolName(protocol), String(port));
    if (slices === undefined) return { known: this.#behind(service, front), all: true };
    return together(
      slices.map((slice) => {
        const target = slice.ports.find((one) => one.name === front.name && one.protocol === protocol);
        if (target === undefined) return { known: [], all: !slice.broken };
        return this.#inSlice(slice, service.headless ? front.port : target.port);
      }),
    );
  }

  #inSlice(slice: EndpointSlice, port: number | undefined): Backends {
    const candidates = slice.addresses.map((address) => this.#pods.endpointAt(address, slice.pods?.[address]));
    const known = candidates.flatMap((candidate) => (candidate === undefined ? [] : { candidate, port }));
    return { known, all: !slice.broken && known.length === candidates.length };
  }

  /** A pod without a port of the name that the Service forwards to is no endpoint. */
  #behind(service: Service, { port, protocol, targetPort = port }: ServicePort): Backend[] {
    return this.#selectedBy(service).flatMap((candidate): Backend | Backend[] => {
      if (service.headless) return { candidate, port };
      if (typeof targetPort === 'number') return { candidate, port: targetPort };
      const named = candidate.ports.find((one) => one.name === targetPort && one.protocol === protocol);
      return named === undefined ? [] : { candidate, port: named.port };
    });
  }

  #selectedBy(service: Service): readonly Candidate[] {
    let selected = this.#selected.get(service);
    if (selected === undefined) {
      selected = service.selector === undefined ? [] : this.#pods.selected(service.namespace, service.selector);
      this.#selected.set(service, selected);
    }
    return selected;
  }
}

function titleOf({ namespace, name }: Service): string {
  return `${namespace}/${name}`;
}

function together(parts: readonly Backends[]): Backends {
  return { known: parts.flatMap(({ known }) => known), all: parts.every(({ all }) => all) };
}
