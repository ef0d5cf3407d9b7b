// What an agent reports of the DNS queries and replies of its node's pods.
import type { Address } from './address.ts';

/**
 * The pod that asked, by its interface, and the server. `server` is the address that the reply came from, `asked` the one
 * that the query was sent to: a Service address may be translated between them.
 */
export type DnsOrigin = { interfaceIndex: number; server: Address; asked: Address; transport: 'UDP' | 'TCP' };

/**
 * An address that a reply gave a name. `name` is the name in the question, in lower case, without the last dot. `atUs` is
 * when the reply arrived at the pod. `origin` is missing if the agent did not compare it with the pod's queries (0.1.0).
 */
export type DnsAnswer = { name: string; address: Address; atUs: number; ttlSeconds: number; origin?: DnsOrigin };

/** An answer that must not be believed after all: another reply to the same query differs. */
export type WithdrawnAnswer = { name: string; address: Address; atUs: number; origin: Omit<DnsOrigin, 'transport'> };

/**
 * A name that the pod asked for at `atUs`, and that may have addresses which the agent did not see. `open` is false when
 * the reply came after all.
 */
export type UnansweredQuery = { interfaceIndex: number; name: string; atUs: number; open: boolean };

/**
 * Since when the queries of a pod are watched. `isNew`: since the pod has this interface. After `untilUs`, queries may have
 * been missed; 0: none was.
 */
export type WatchedQueries = { interfaceIndex: number; sinceUs: number; isNew: boolean; untilUs: number };

/** Apply the lists in this order. */
export type DnsReport = {
  answers: readonly DnsAnswer[];
  withdrawn: readonly WithdrawnAnswer[];
  unanswered: readonly UnansweredQuery[];
  watched: readonly WatchedQueries[];
};

export const emptyDnsReport: DnsReport = { answers: [], withdrawn: [], unanswered: [], watched: [] };

/** How many items a batch has for the report. */
export function dnsReportSize({ answers, withdrawn, unanswered, watched }: DnsReport): number {
  return answers.length + withdrawn.length + unanswered.length + watched.length;
}

const maxNameLength = 253;

/** Whether the name may be stored and shown. Anyone can answer anything, so control characters and line breaks are refused. */
export function isPrintableName(text: string): boolean {
  return text.length <= maxNameLength && /^[!-[\]-~]+$/.test(text) && text === text.toLowerCase();
}
