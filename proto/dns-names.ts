// Encodes, decodes and checks what agents report of DNS.
import { type Address, addressBytes, addressFromBytes, isIpv6, parseAddress } from '../model/address.ts';
import {
  type DnsAnswer,
  type DnsOrigin,
  type DnsReport,
  dnsReportSize,
  emptyDnsReport,
  isPrintableName,
} from '../model/dns-answer.ts';
import type { WireDnsNames, WireDnsQueries } from './wire.ts';

/** Most DNS answers in one batch. */
export const maxDnsNames = 5_000;
const TCP_MARK = 1;

export type DecodedDnsNames = { report: DnsReport } | { fault: string };

export function encodeDnsNames(report: DnsReport): WireDnsNames | null {
  if (dnsReportSize(report) === 0) return null;
  const { answers, withdrawn, unanswered, watched } = report;
  const ipv4 = answers.filter(({ address }) => !isIpv6(address));
  const ipv6 = answers.filter(({ address }) => isIpv6(address));
  const ordered = [...ipv4, ...ipv6];
  return {
    ipv4: packed(ipv4, 4),
    ipv6: packed(ipv6, 16),
    name: ordered.map(({ name }) => name),
    atUs: ordered.map(({ atUs }) => Math.round(atUs)),
    ttlSeconds: ordered.map(({ ttlSeconds }) => ttlSeconds),
    ...originColumns(ordered),
    queries: {
      withdrawn: withdrawn.map(({ name, address, atUs, origin: { interfaceIndex, server, asked } }) => {
        return { interfaceIndex, name, address, atUs: Math.round(atUs), server, asked };
      }),
      unanswered: [...unanswered],
      watched: [...watched],
    },
  };
}

/** Null from an older agent. Names that are not printable are ignored. Columns that do not fit together are a fault. */
export function decodeDnsNames(wire: WireDnsNames | null): DecodedDnsNames {
  if (wire === null) return { report: emptyDnsReport };
  const fault = columnFault(wire) ?? queriesFault(wire.queries);
  if (fault !== undefined) return { fault };
  const servers = wire.servers.map(parseAddress);
  if (servers.includes(undefined)) return { fault: 'a DNS server is not an address' };
  const ipv4Count = wire.ipv4.length / 4;
  const answers: DnsAnswer[] = [];
  for (const [i, name] of wire.name.entries()) {
    if (!isPrintableName(name)) continue;
    const ipv6Index = i - ipv4Count;
    const bytes =
      ipv6Index < 0 ? wire.ipv4.subarray(i * 4, i * 4 + 4) : wire.ipv6.subarray(ipv6Index * 16, ipv6Index * 16 + 16);
    const origin = originAt(wire, servers as Address[], i);
    const times = { atUs: wire.atUs[i]!, ttlSeconds: wire.ttlSeconds[i]! };
    answers.push({ name, address: addressFromBytes(bytes), ...times, ...(origin && { origin }) });
  }
  return { report: { answers, ...queriesOf(wire.queries) } };
}

/** No columns if an answer has no origin: the store keeps batches of older agents. */
function originColumns(answers: readonly DnsAnswer[]) {
  const origins = answers.flatMap(({ origin }) => origin ?? []);
  const isComplete = origins.length === answers.length;
  const servers = isComplete ? [...new Set(origins.flatMap(({ server, asked }) => [server, asked]))] : [];
  const indexes = new Map(servers.map((server, index) => [server, index]));
  const kept = isComplete ? origins : [];
  return {
    interfaceIndex: kept.map(({ interfaceIndex }) => interfaceIndex),
    servers,
    server: kept.map(({ server }) => indexes.get(server)!),
    asked: kept.map(({ asked }) => indexes.get(asked)!),
    transport: Uint8Array.from(kept, ({ transport }) => (transport === 'TCP' ? TCP_MARK : 0)),
  };
}

function originAt(wire: WireDnsNames, servers: readonly Address[], i: number): DnsOrigin | undefined {
  if (wire.interfaceIndex.length === 0) return undefined;
  return {
    interfaceIndex: wire.interfaceIndex[i]!,
    server: servers[wire.server[i]!]!,
    asked: servers[wire.asked[i]!]!,
    transport: (wire.transport[i]! & TCP_MARK) !== 0 ? 'TCP' : 'UDP',
  };
}

function columnFault(wire: WireDnsNames): string | undefined {
  const count = wire.name.length;
  if (count > maxDnsNames) return `${count} names in one batch, more than ${maxDnsNames}`;
  const ipv4Count = wire.ipv4.length / 4;
  const ipv6Count = wire.ipv6.length / 16;
  if (!Number.isInteger(ipv4Count) || !Number.isInteger(ipv6Count) || ipv4Count + ipv6Count !== count) {
    return `the number of addresses does not match the ${count} names`;
  }
  if (wire.atUs.length !== count || wire.ttlSeconds.length !== count) {
    return `the number of times does not match the ${count} names`;
  }
  const columns = [wire.interfaceIndex, wire.server, wire.asked, wire.transport];
  if (columns.some(({ length }) => length !== 0) && columns.some(({ length }) => length !== count)) {
    return `the number of DNS servers does not match the ${count} names`;
  }
  if ([...wire.server, ...wire.asked].some((index) => index >= wire.servers.length)) {
    return 'a DNS server is not in the list of servers';
  }
  return undefined;
}

function queriesFault(queries: WireDnsQueries | null): string | undefined {
  if (queries === null) return undefined;
  for (const { address, server, asked } of queries.withdrawn) {
    if ([address, server, asked].some((text) => parseAddress(text) === undefined)) {
      return 'a withdrawn DNS answer has an invalid address';
    }
  }
  return undefined;
}

function queriesOf(queries: WireDnsQueries | null): Omit<DnsReport, 'answers'> {
  if (queries === null) return { withdrawn: [], unanswered: [], watched: [] };
  return {
    withdrawn: queries.withdrawn.map(({ name, address, atUs, interfaceIndex, server, asked }) => {
      const origin = { interfaceIndex, server: parseAddress(server)!, asked: parseAddress(asked)! };
      return { name, address: parseAddress(address)!, atUs, origin };
    }),
    unanswered: queries.unanswered.filter(({ name }) => isPrintableName(name)),
    watched: queries.watched,
  };
}

function packed(answers: readonly DnsAnswer[], width: number): Uint8Array {
  const bytes = new Uint8Array(answers.length * width);
  for (const [i, { address }] of answers.entries()) bytes.set(addressBytes(address), i * width);
  return bytes;
}
