// Counts connections by verdict, unknown ones by reason, and the unknown ones of each namespace. A connection counts once, with
// its latest verdict, and once in each namespace of its ends.
import type { Connection } from '../../model/connection.ts';

/** Connections of a namespace, and how many of them have an unknown verdict. */
export type NamespaceVerdicts = { connections: number; unknown: number };

/** More namespaces are not counted. */
const maxNamespaces = 10_000;

/** With the namespaces of the ends. An end outside the cluster has none. */
type Counted = { key: string; initiatorIn: string | undefined; responderIn: string | undefined };

export class VerdictCounts {
  readonly #counts: Record<string, number> = {};
  readonly #byNamespace = new Map<string, NamespaceVerdicts>();
  readonly #live = new Map<string, Counted>();

  count(connection: Connection): void {
    const key = connection.verdict === 'unknown' ? `unknown: ${connection.unknownReason}` : connection.verdict;
    const [initiatorIn, responderIn] = [connection.initiator.namespace, connection.responder.namespace];
    const previous = this.#live.get(connection.id);
    if (previous?.key === key && previous.initiatorIn === initiatorIn && previous.responderIn === responderIn) return;
    if (previous !== undefined) this.#add(previous, -1);
    const counted = { key, initiatorIn, responderIn };
    this.#live.set(connection.id, counted);
    this.#add(counted, 1);
  }

  /** The connection was merged into another one: it no longer counts. */
  remove(connectionId: string): void {
    const counted = this.#live.get(connectionId);
    if (counted !== undefined) this.#add(counted, -1);
    this.#live.delete(connectionId);
  }

  /** The connection is retired: it still counts. */
  forget(connectionId: string): void {
    this.#live.delete(connectionId);
  }

  counts(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#counts).filter(([, connections]) => connections > 0));
  }

  /** By name. */
  byNamespace(): Record<string, NamespaceVerdicts> {
    const entries = [...this.#byNamespace].filter(([, { connections }]) => connections > 0);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, { ...one }]));
  }

  #add({ key, initiatorIn, responderIn }: Counted, connections: 1 | -1): void {
    this.#counts[key] = (this.#counts[key] ?? 0) + connections;
    const unknown = key.startsWith('unknown') ? connections : 0;
    this.#addIn(initiatorIn, connections, unknown);
    if (responderIn !== initiatorIn) this.#addIn(responderIn, connections, unknown);
  }

  #addIn(namespace: string | undefined, connections: number, unknown: number): void {
    if (namespace === undefined) return;
    let one = this.#byNamespace.get(namespace);
    if (one === undefined) {
      if (this.#byNamespace.size >= maxNamespaces) return;
      one = { connections: 0, unknown: 0 };
      this.#byNamespace.set(namespace, one);
    }
    one.connections += connections;
    one.unknown += unknown;
  }
}
