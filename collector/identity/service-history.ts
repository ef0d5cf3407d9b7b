// The Services and their endpoints over time: a connection is evaluated by those of its time, also after a Service was
// scaled or deleted.
import { isDeepStrictEqual } from 'node:util';
import type { Address } from '../../model/address.ts';
import { type EndpointSlice, type Endpoints, objectKey, type Service } from '../../model/kubernetes.ts';
import { AddressServices, serviceAtPort } from './address-services.ts';
import { type Timeline, timelineOf } from './timeline.ts';

/** Versions kept of the endpoints of each Service. */
const maxVersions = 64;
/** Former Services whose endpoints are kept. */
const maxGone = 20_000;
/** A node uses former endpoints until it has applied the change, and a change may be reported late. */
const lateUs = { appliedUs: 10_000_000, reportedUs: 2_000_000 };

/** `pod`: NAMESPACE/NAME; empty if the slice names no pod. */
export type ReadyEndpoint = { address: Address; port: number; pod: string };

export class ServiceHistory {
  readonly #services = new Map<string, Service>();
  readonly #ofAddress = new AddressServices();
  /** All slices of a Service, by NAMESPACE/NAME. */
  readonly #slices = new Map<string, Timeline<readonly EndpointSlice[]>>();
  readonly #goneSlices = new Set<string>();

  putService(service: Service, atUs: number): void {
    const key = objectKey(service);
    const known = this.#services.get(key);
    if (known !== undefined && isDeepStrictEqual(known, service)) return;
    this.#services.set(key, service);
    for (const address of known?.addresses ?? [])
      if (!service.addresses.includes(address)) this.#ofAddress.release(address, key, atUs);
    for (const address of service.addresses) this.#ofAddress.put(address, service, atUs);
  }

  removeService(service: Service, atUs: number): void {
    const key = objectKey(service);
    for (const address of this.#services.get(key)?.addresses ?? []) this.#ofAddress.release(address, key, atUs);
    this.#services.delete(key);
  }

  putSlice(slice: EndpointSlice, atUs: number): void {
    const key = `${slice.namespace}/${slice.service}`;
    const timeline = timelineOf(this.#slices, key, maxVersions);
    const known = timeline.latest ?? [];
    if (known.some((one) => isDeepStrictEqual(one, slice))) return;
    this.#goneSlices.delete(key);
    timeline.put([...known.filter(({ name }) => name !== slice.name), slice], atUs);
  }

  /** Replaces the slices of the former Endpoints of that name. */
  putEndpoints({ namespace, name, slices }: Endpoints, atUs: number): void {
    const former = this.#slices.get(`${namespace}/${name}`)?.latest?.filter(({ fromEndpoints }) => fromEndpoints) ?? [];
    for (const one of former) if (!slices.some((slice) => slice.name === one.name)) this.removeSlice(one, atUs);
    for (const slice of slices) this.putSlice(slice, atUs);
  }

  removeSlice({ namespace, service, name }: EndpointSlice, atUs: number): void {
    const key = `${namespace}/${service}`;
    const timeline = this.#slices.get(key);
    const rest = timeline?.latest?.filter((one) => one.name !== name);
    if (timeline === undefined || rest === undefined) return;
    timeline.put(rest, atUs);
    if (rest.length > 0) return;
    this.#goneSlices.add(key);
    forgetOldest(this.#goneSlices, this.#slices);
  }

  /** The Services as they are now. */
  services(): Iterable<Service> {
    return this.#services.values();
  }

  get(key: string): Service | undefined {
    return this.#services.get(key);
  }

  /** The slices as they are now. */
  slicesOf({ namespace, name }: Service): readonly EndpointSlice[] {
    return this.#slices.get(`${namespace}/${name}`)?.latest ?? [];
  }

  /** The Services that had the address at that time. For a time before the first version of all, their first versions. */
  servicesAt(address: Address, timeUs: number): readonly Service[] {
    return this.#ofAddress.at(address, timeUs);
  }

  /** The Service that got the connections to that port of the address at that time. */
  serviceOf(address: Address, protocol: number, port: number, timeUs: number): Service | undefined {
    return serviceAtPort(this.servicesAt(address, timeUs), address, protocol, port);
  }

  /** The ready endpoints of a Service port near that time; empty without endpoints or without such a port. */
  readyEndpoints(service: Service, protocol: number, port: number, timeUs: number): ReadyEndpoint[] {
    const servicePort = service.ports.find((one) => one.protocol === protocol && one.port === port);
    if (servicePort === undefined) return [];
    const versions = this.#versionsNear(service, timeUs);
    const endpoints: ReadyEndpoint[] = [];
    for (const slice of versions.flat()) {
      const target = slice.ports.find((one) => one.name === servicePort.name && one.protocol === protocol);
      if (target === undefined) continue;
      for (const address of slice.addresses)
        endpoints.push({ address, port: target.port, pod: slice.pods?.[address] ?? '' });
    }
    const mayRepeat = versions.length > 1 || versions[0]?.some(({ fromEndpoints }) => fromEndpoints);
    return mayRepeat ? distinct(endpoints) : endpoints;
  }

  /** False if some endpoints of that time could not be read. */
  endpointsKnown(service: Service, timeUs: number): boolean {
    return this.#versionsNear(service, timeUs).every((slices) => slices.every(({ broken }) => !broken));
  }

  /** Whether the Service listed one of the addresses as an endpoint near that time, ready or not, for any of its ports. */
  hasEndpoint(service: Service, own: readonly Address[], timeUs: number): boolean {
    return this.#versionsNear(service, timeUs)
      .flat()
      .some(({ addresses, notReady = [] }) => own.some((one) => addresses.includes(one) || notReady.includes(one)));
  }

  /** Usually one. A node may have used any of them. */
  #versionsNear({ namespace, name }: Service, timeUs: number): (readonly EndpointSlice[])[] {
    const timeline = this.#slices.get(`${namespace}/${name}`);
    return timeline?.between(timeUs - lateUs.appliedUs, timeUs + lateUs.reportedUs) ?? [];
  }
}

function distinct(endpoints: readonly ReadyEndpoint[]): ReadyEndpoint[] {
  return [...new Map(endpoints.map((one) => [`${one.address} ${one.port}`, one])).values()];
}

function forgetOldest(gone: Set<string>, timelines: Map<string, unknown>): void {
  if (gone.size <= maxGone) return;
  const oldest = gone.values().next().value!;
  gone.delete(oldest);
  timelines.delete(oldest);
}
