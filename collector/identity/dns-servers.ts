// The DNS servers whose answers count in verdicts, and when: the cluster's DNS Service with its endpoints, and the servers of
// a setting.
import { type Address, type Prefix, prefixContainsAddress } from '../../model/address.ts';
import type { EndpointSlice, Service } from '../../model/kubernetes.ts';

type Span = { fromUs: number; untilUs: number };

export const dnsPort = 53;
/** A change may be reported late, and an endpoint that is no longer ready still answers for some seconds. */
const toleranceUs = 10_000_000;
const maxSpansPerAddress = 8;
const maxAddresses = 10_000;

export class DnsServers {
  readonly #prefixes: readonly Prefix[];
  readonly #spans = new Map<Address, Span[]>();
  #current = new Set<Address>();
  #usesOnlyDnsPort = true;

  constructor(prefixes: readonly Prefix[]) {
    this.#prefixes = prefixes;
  }

  /** The cluster's DNS Services and their endpoints from then on. */
  update(services: readonly Service[], slicesOf: (service: Service) => Iterable<EndpointSlice>, atUs: number): void {
    const addresses = new Set<Address>();
    this.#usesOnlyDnsPort = true;
    for (const service of services) {
      for (const address of service.addresses) addresses.add(address);
      const names = new Set(service.ports.filter(({ port }) => port === dnsPort).map(({ name }) => name));
      for (const slice of slicesOf(service)) {
        for (const address of slice.addresses) addresses.add(address);
        if (slice.ports.some(({ name, port }) => names.has(name) && port !== dnsPort)) this.#usesOnlyDnsPort = false;
      }
    }
    for (const address of this.#current) if (!addresses.has(address)) this.#end(address, atUs);
    for (const address of addresses) if (!this.#current.has(address)) this.#begin(address, atUs);
    this.#current = addresses;
  }

  /** Whether the setting names the address. A link-local one is that of a cache on every node. */
  isNamed(address: Address): boolean {
    return this.#prefixes.some((prefix) => prefixContainsAddress(prefix, address));
  }

  isTrusted(address: Address, timeUs: number): boolean {
    if (this.isNamed(address)) return true;
    const spans = this.#spans.get(address) ?? [];
    return spans.some(({ fromUs, untilUs }) => fromUs - toleranceUs <= timeUs && timeUs <= untilUs + toleranceUs);
  }

  /**
   * False if endpoints of the cluster's DNS Service listen on another port. With socket load balancing, pods then send their
   * queries to that port, which agents do not read.
   */
  get usesOnlyDnsPort(): boolean {
    return this.#usesOnlyDnsPort;
  }

  #begin(address: Address, atUs: number): void {
    const spans = [...(this.#spans.get(address) ?? []), { fromUs: atUs, untilUs: Number.POSITIVE_INFINITY }];
    this.#spans.delete(address);
    this.#spans.set(address, spans.slice(-maxSpansPerAddress));
    if (this.#spans.size > maxAddresses) this.#spans.delete(this.#spans.keys().next().value!);
  }

  #end(address: Address, atUs: number): void {
    const last = this.#spans.get(address)?.at(-1);
    if (last !== undefined) last.untilUs = atUs;
  }
}
