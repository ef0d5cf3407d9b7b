// The DNS names that each pod was given for an address, and what is certain about them. A name counts for the pod that was
// given it. Verdicts depend on names from trusted servers only (rule 24); other names are shown.
import type { Address } from '../../model/address.ts';
import type { DnsAnswer, DnsReport } from '../../model/dns-answer.ts';
import type { UnverifiedName } from '../../model/endpoint.ts';
import { TCP, UDP } from '../../model/protocol.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import type { NamesGap } from '../../model/verdict.ts';
import { dnsPort } from './dns-servers.ts';
import { InterfaceNames } from './interface-names.ts';
import { isExpiredAt, isValidAt, type NameSpan, withName } from './name-spans.ts';

/** The interface of the pod that may have asked, or its address in a capture file. `podUid` is empty if it is not known. */
export type Asker = { key: string; podUid: string };

/**
 * Newest first. `possible`: names that the pod may have been given too. `gap`: why there may be others; undefined if there
 * cannot be. `latestUs`: the last answer that gave one of `names`; 0 without names.
 */
export type GivenNames = {
  names: readonly string[];
  unverified: readonly UnverifiedName[];
  possible: readonly string[];
  gap: NamesGap | undefined;
  latestUs: number;
};

/** Names of its addresses are not kept: they are pods, nodes or Services, whatever their names are. */
export type ClusterAddresses = { hasAddress(address: Address): boolean };

export type TrustedServers = { isTrusted(server: Address, timeUs: number): boolean; readonly usesOnlyDnsPort: boolean };

/** `podUidOf`: empty if the interface's pod is not known yet. */
export type ReportSource = { keyOf(interfaceIndex: number): string; podUidOf(interfaceIndex: number): string };

/** For the store: the names of one interface as text. */
export type StoredNames = { key: string; body: string };

export const noNames: GivenNames = { names: [], unverified: [], possible: [], gap: 'not-watched', latestUs: 0 };

const noInterfaces: readonly InterfaceNames[] = [];
const noSpans: readonly NameSpan[] = [];
const noUnverified: readonly UnverifiedName[] = [];
const dnsOverTlsPort = 853;
const maxNamesShown = 5;
/** Interfaces that exist, or existed: a connection may be evaluated after its pod ended. */
const maxInterfaces = 50_000;

export function interfaceKey(node: string, interfaceIndex: number): string {
  return `${node} ${interfaceIndex}`;
}

export function clientKey(address: Address): string {
  return `address ${address}`;
}

export class DnsNames {
  readonly #servers: TrustedServers;
  readonly #cluster: ClusterAddresses;
  readonly #maxAddresses: number;
  /** The one with the oldest answer first. */
  readonly #interfaces = new Map<string, InterfaceNames>();
  readonly #keysOfPod = new Map<string, Set<string>>();
  /** From agents that do not say which pod asked. */
  readonly #unverified = new Map<Address, NameSpan[]>();
  #addressCount = 0;
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();

  /** Keeps the names of `maxAddresses` addresses of all pods together; if there are more, the pod with the most loses some. */
  constructor(maxAddresses: number, servers: TrustedServers, cluster: ClusterAddresses) {
    this.#maxAddresses = maxAddresses;
    this.#servers = servers;
    this.#cluster = cluster;
  }

  /** The offset converts the times of the report to the collector's clock. */
  learn(report: DnsReport, source: ReportSource, clockOffsetUs: number): void {
    for (const answer of report.answers) {
      if (this.#cluster.hasAddress(answer.address)) continue;
      if (answer.origin === undefined) this.#learnUnverified(answer, clockOffsetUs);
      else this.#learn(answer, answer.origin, source, clockOffsetUs);
    }
    for (const { name, address, atUs, origin } of report.withdrawn) {
      this.#change(source, origin.interfaceIndex, (names) =>
        names.withdraw(address, { name, server: origin.server, asked: origin.asked, agentAtUs: atUs }),
      );
    }
    for (const { interfaceIndex, name, atUs, open } of report.unanswered) {
      this.#change(source, interfaceIndex, (names) => {
        if (open) names.setPossible(name, atUs + clockOffsetUs);
        else names.setAnswered(name);
      });
    }
    for (const watched of report.watched) {
      const key = source.keyOf(watched.interfaceIndex);
      if (this.#interfaces.get(key)?.continues(watched) === false) this.#forget(key);
      this.#change(source, watched.interfaceIndex, (names) => names.watch(watched, clockOffsetUs));
    }
  }

  /** The servers that pods use: records of packets to port 53, and to the port of DNS over TLS. hot, once a record */
  observe(records: readonly ConnectionRecord[], source: ReportSource, clockOffsetUs: number): void {
    for (const record of records) {
      const { responderPort } = record;
      if (responderPort !== dnsPort && responderPort !== dnsOverTlsPort) continue;
      const { point, protocol, packets, interfaceIndex, responder } = record;
      if (point !== 'source' || packets.forward === 0 || (protocol !== TCP && protocol !== UDP)) continue;
      const [firstUs, lastUs] = [record.firstUs + clockOffsetUs, record.lastUs + clockOffsetUs];
      this.#change(source, interfaceIndex, (names) => {
        if (responderPort === dnsPort) names.useServer(responder, firstUs, lastUs);
        else names.useTls(firstUs);
      });
    }
  }

  /** What the pod was given by that time, for connections to the address that began then. hot, once an evaluation */
  given({ key, podUid }: Asker, address: Address, timeUs: number): GivenNames {
    const interfaces = this.#interfacesOf(key, podUid);
    const names: string[] = [];
    const others: NameSpan[] = [];
    const possible: string[] = [];
    let latestUs = 0;
    for (const span of newestFirst(interfaces, address)) {
      const isTrusted = this.#isTrusted(span);
      if (isValidAt(span, timeUs)) {
        if (!isTrusted) others.push(span);
        else if (!names.includes(span.name)) names.push(span.name);
        if (isTrusted) latestUs = Math.max(latestUs, span.lastAnswerUs);
      } else if (isTrusted && isExpiredAt(span, timeUs)) possible.push(span.name);
    }
    const gap = this.#gapOf(interfaces, timeUs);
    if (gap === undefined) for (const one of interfaces) possible.push(...one.possibleNamesAt(timeUs));
    return { names, unverified: this.#unverifiedAt(address, timeUs, others, names), possible, gap, latestUs };
  }

  /** From the store, before anything else is learned. Returns the keys of rows that cannot be read. */
  restore(stored: readonly StoredNames[]): string[] {
    return stored.flatMap(({ key, body }) => {
      const names = InterfaceNames.fromJson(body);
      if (names === undefined) return [key];
      this.#interfaces.set(key, names);
      this.#addressCount += names.addressCount;
      if (names.podUid !== '') this.#bind(key, names, names.podUid);
      return [];
    });
  }

  /** Changes since the previous call, for the store; at most `max` of each kind, and the others with the next call. */
  changes(max: number): { put: StoredNames[]; removed: string[] } {
    const put = takeFrom(this.#changed, max).flatMap((key) => {
      const names = this.#interfaces.get(key);
      return names === undefined ? [] : [{ key, body: JSON.stringify(names.toJson()) }];
    });
    return { put, removed: takeFrom(this.#removed, max) };
  }

  #learn(answer: DnsAnswer, origin: NonNullable<DnsAnswer['origin']>, source: ReportSource, offsetUs: number): void {
    const { name, address, ttlSeconds, atUs: agentAtUs } = answer;
    const { server, asked, interfaceIndex } = origin;
    this.#change(source, interfaceIndex, (names) =>
      names.learn(address, { name, server, asked, atUs: agentAtUs + offsetUs, agentAtUs, ttlSeconds }),
    );
    while (this.#addressCount > this.#maxAddresses) this.#evictFromLargest();
  }

  #learnUnverified({ name, address, atUs: agentAtUs, ttlSeconds }: DnsAnswer, clockOffsetUs: number): void {
    const given = { name, server: '', asked: '', atUs: agentAtUs + clockOffsetUs, agentAtUs, ttlSeconds } as const;
    const { spans } = withName(this.#unverified.get(address) ?? [], given);
    this.#unverified.delete(address);
    this.#unverified.set(address, spans);
    if (this.#unverified.size > this.#maxAddresses) this.#unverified.delete(this.#unverified.keys().next().value!);
  }

  #change(source: ReportSource, interfaceIndex: number, change: (names: InterfaceNames) => void): void {
    const key = source.keyOf(interfaceIndex);
    const podUid = source.podUidOf(interfaceIndex);
    const known = this.#interfaces.get(key);
    if (known !== undefined && known.podUid !== '' && podUid !== '' && known.podUid !== podUid) this.#forget(key);
    const names = this.#interfaces.get(key) ?? new InterfaceNames();
    if (names.podUid === '' && podUid !== '') this.#bind(key, names, podUid);
    const before = names.addressCount;
    change(names);
    this.#addressCount += names.addressCount - before;
    this.#interfaces.delete(key);
    this.#interfaces.set(key, names);
    this.#removed.delete(key);
    this.#changed.add(key);
    if (this.#interfaces.size > maxInterfaces) this.#forget(this.#interfaces.keys().next().value!);
  }

  #bind(key: string, names: InterfaceNames, podUid: string): void {
    names.podUid = podUid;
    this.#keysOfPod.set(podUid, (this.#keysOfPod.get(podUid) ?? new Set()).add(key));
  }

  #forget(key: string): void {
    const names = this.#interfaces.get(key);
    if (names === undefined) return;
    this.#interfaces.delete(key);
    this.#addressCount -= names.addressCount;
    const keys = this.#keysOfPod.get(names.podUid);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysOfPod.delete(names.podUid);
    this.#changed.delete(key);
    this.#removed.add(key);
  }

  #evictFromLargest(): void {
    let [largestKey, largest] = this.#interfaces.entries().next().value!;
    for (const [key, names] of this.#interfaces) {
      if (names.addressCount > largest.addressCount) [largestKey, largest] = [key, names];
    }
    // Half of them, so that the search for the largest is rare.
    const evicted = Math.ceil(largest.addressCount / 2);
    for (let i = 0; i < evicted; i++) largest.evictOldest();
    this.#addressCount -= evicted;
    this.#changed.add(largestKey);
  }

  /** The interface, and others of the same pod. */
  #interfacesOf(key: string, podUid: string): readonly InterfaceNames[] {
    const own = this.#interfaces.get(key);
    if (own === undefined || (podUid !== '' && own.podUid !== '' && own.podUid !== podUid)) return noInterfaces;
    const keys = this.#keysOfPod.get(podUid);
    if (keys === undefined || (keys.size === 1 && keys.has(key))) return [own];
    return [own, ...[...keys].flatMap((one) => (one === key ? [] : this.#interfaces.get(one)!))];
  }

  #isTrusted({ server, asked, lastAnswerUs }: NameSpan): boolean {
    if (server === '' || asked === '') return false;
    return this.#servers.isTrusted(server, lastAnswerUs) && this.#servers.isTrusted(asked, lastAnswerUs);
  }

  #unverifiedAt(
    address: Address,
    timeUs: number,
    others: readonly NameSpan[],
    names: readonly string[],
  ): readonly UnverifiedName[] {
    const fromOldAgents = this.#unverified.get(address)?.filter((span) => isValidAt(span, timeUs)) ?? noSpans;
    if (others.length + fromOldAgents.length === 0) return noUnverified;
    const shown = new Map<string, UnverifiedName>();
    for (const span of [...others, ...fromOldAgents.toReversed()]) {
      const { name, server, asked, lastAnswerUs } = span;
      if (names.includes(name) || shown.size === maxNamesShown || shown.has(name)) continue;
      const from = server !== '' && this.#servers.isTrusted(server, lastAnswerUs) ? asked : server;
      shown.set(name, from === '' ? { name } : { name, from });
    }
    return [...shown.values()];
  }

  #gapOf(interfaces: readonly InterfaceNames[], timeUs: number): NamesGap | undefined {
    if (interfaces.length === 0) return 'not-watched';
    for (const names of interfaces) {
      const seen = names.queriesSeenAt(timeUs);
      if (seen === 'not-since-the-start') return 'watched-late';
      if (seen === 'not-all') return 'queries-missed';
      if (names.overTlsUs <= timeUs) return 'dns-over-tls';
      if (names.manyServersUs <= timeUs) return 'other-server';
      for (const [server, { firstUs, lastUs }] of names.servers) {
        if (firstUs > timeUs) continue;
        if (!this.#servers.isTrusted(server, firstUs)) return 'other-server';
        if (!this.#servers.isTrusted(server, Math.min(lastUs, timeUs))) return 'other-server';
      }
    }
    return this.#servers.usesOnlyDnsPort ? undefined : 'other-port';
  }
}

/** The names of the address by the times of their last answers. */
function newestFirst(interfaces: readonly InterfaceNames[], address: Address): readonly NameSpan[] {
  if (interfaces.length === 0) return noSpans;
  if (interfaces.length === 1) return interfaces[0]!.spansOf(address).toReversed();
  const spans = interfaces.flatMap((names) => names.spansOf(address));
  return spans.sort((a, b) => b.lastAnswerUs - a.lastAnswerUs);
}

function takeFrom(keys: Set<string>, max: number): string[] {
  const taken: string[] = [];
  for (const key of keys) {
    if (taken.length === max) break;
    taken.push(key);
    keys.delete(key);
  }
  return taken;
}
