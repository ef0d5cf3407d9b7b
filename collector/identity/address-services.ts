// The Services that have an address, over time. Several can have one: two load balancers share it on different ports, and
// whoever writes a Service chooses its external addresses, also if they belong to somebody else.
import type { Address } from '../../model/address.ts';
import { objectKey, type Service } from '../../model/kubernetes.ts';
import { Timeline } from './timeline.ts';

/** Versions kept of each Service of an address. */
const maxVersions = 64;
/** Services of one address; k3s gives its load balancers the addresses of all nodes. */
const maxServices = 256;
/** Former Services of addresses that are kept. */
const maxGone = 20_000;
/** A change may be reported late. */
const reportedLateUs = 2_000_000;

type Versions = Timeline<Service | 'gone'>;
type Former = { address: Address; key: string };

export class AddressServices {
  /** By address, then by the key of the Service; the one that had the address first comes first. */
  readonly #ofAddress = new Map<Address, Map<string, Versions>>();
  readonly #gone = new Map<string, Former>();

  put(address: Address, service: Service, atUs: number): void {
    const key = objectKey(service);
    const services = this.#ofAddress.get(address) ?? new Map<string, Versions>();
    if (!services.has(key)) {
      if (services.size >= maxServices && !this.#evictFor(service, address, services)) return;
      services.set(key, new Timeline(maxVersions));
    }
    this.#ofAddress.set(address, services);
    this.#gone.delete(formerKey({ address, key }));
    services.get(key)!.put(service, atUs);
  }

  /** The Service no longer has the address; others keep it. */
  release(address: Address, key: string, atUs: number): void {
    const versions = this.#ofAddress.get(address)?.get(key);
    if (versions === undefined || versions.latest === 'gone') return;
    versions.put('gone', atUs);
    const former = { address, key };
    this.#gone.set(formerKey(former), former);
    if (this.#gone.size > maxGone) this.#forget(this.#gone.values().next().value!);
  }

  /** The Services that had the address at that time. For a time before the first version of all, their first versions. */
  at(address: Address, timeUs: number): readonly Service[] {
    const services = this.#ofAddress.get(address);
    if (services === undefined) return noServices;
    const then = existingAt(services, timeUs);
    if (then.some((one) => isOwn(one, address))) return then;
    const soon = existingAt(services, timeUs + reportedLateUs);
    if (soon.some((one) => isOwn(one, address))) return soon;
    if (then.length > 0) return then;
    const existedBefore = [...services.values()].some((versions) => versions.at(timeUs) !== undefined);
    return existedBefore ? soon : firstOf(services);
  }

  /** Only a Service whose cluster address it is gets a place for which another one must leave. */
  #evictFor(service: Service, address: Address, services: Map<string, Versions>): boolean {
    const entries = [...services];
    const former = entries.find(([, { latest }]) => latest === 'gone');
    const others = entries.filter(([, { latest }]) => latest !== 'gone' && !isOwn(latest!, address));
    const evicted = former ?? (isOwn(service, address) ? others.at(-1) : undefined);
    if (evicted === undefined) return false;
    this.#forget({ address, key: evicted[0] });
    return true;
  }

  #forget(former: Former): void {
    const { address, key } = former;
    this.#gone.delete(formerKey(former));
    const services = this.#ofAddress.get(address);
    services?.delete(key);
    if (services?.size === 0) this.#ofAddress.delete(address);
  }
}

const noServices: readonly Service[] = [];

/**
 * Whether it is the Service's own cluster address, which the API server gives to one Service only. An external address is
 * only a claim.
 */
export function isOwn({ clusterAddresses }: Service, address: Address): boolean {
  return clusterAddresses.includes(address);
}

/**
 * The Service that gets the connections to that port of the address. If several have the port, or none, a Service comes
 * first whose own cluster address it is, then the one that had the address first.
 */
export function serviceAtPort(
  services: readonly Service[],
  address: Address,
  protocol: number,
  port: number,
): Service | undefined {
  if (services.length <= 1) return services[0];
  const withPort = services.filter(({ ports }) => ports.some((one) => one.protocol === protocol && one.port === port));
  const candidates = withPort.length > 0 ? withPort : services;
  return candidates.find((one) => isOwn(one, address)) ?? candidates[0];
}

function existingAt(services: ReadonlyMap<string, Versions>, timeUs: number): Service[] {
  const existing: Service[] = [];
  for (const versions of services.values()) {
    const then = versions.at(timeUs);
    if (then !== undefined && then !== 'gone') existing.push(then);
  }
  return existing;
}

function firstOf(services: ReadonlyMap<string, Versions>): Service[] {
  return [...services.values()].flatMap(({ earliest }) =>
    earliest === undefined || earliest === 'gone' ? [] : earliest,
  );
}

function formerKey({ address, key }: Former): string {
  return `${address} ${key}`;
}
