// Counts connections by verdict, unknown ones by reason, and the unknown ones of each namespace. A connection counts once, with
// its latest verdict, and once in each namespace of its ends.
import type { Connection } from '../../model/connection.ts';

/** Connections of a namespace, and how many of them have an unknown verdict. */
export type NamespaceVerdicts = { connections: number; unknown: number };

/** More namespaces are not counted. */
const maxNamespaces = 10_000;

type Counted = { key: string; namespaces: readonly string[] };

export class VerdictCounts {
  readonly #counts: Record<string, number> = {};
  readonly #byNamespace = new Map<string, NamespaceVerdicts>();
  readonly #live = new Map<string, Counted>();

  count(connection: Connection): void {
    const key = connection.verdict === 'unknown' ? `unknown: ${connection.unknownReason}` : connection.verdict;
    const namespaces = namespacesOf(connection);
    const previous = this.#live.get(connection.id);
    if (previous?.key === key && isSame(previous.namespaces, namespaces)) return;
    if (previous !== undefined) this.#add(previous, -1);
    const counted = { key, namespaces };
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

  #add({ key, namespaces }: Counted, connections: 1 | -1): void {
    this.#counts[key] = (this.#counts[key] ?? 0) + connections;
    for (const name of namespaces) {
      let one = this.#byNamespace.get(name);
      if (one === undefined) {
        if (this.#byNamespace.size >= maxNamespaces) continue;
        one = { connections: 0, unknown: 0 };
        this.#byNamespace.set(name, one);
      }
      one.connections += connections;
      if (key.startsWith('unknown')) one.unknown += connections;
    }
  }
}

const none: readonly string[] = [];
/** One list for all connections within a namespace, because each connection keeps it as long as it lives. */
const singles = new Map<string, readonly string[]>();

function namespacesOf({ initiator, responder }: Connection): readonly string[] {
  const [one, other] = [initiator.namespace, responder.namespace];
  if (one === undefined || one === other) return other === undefined ? none : single(other);
  return other === undefined ? single(one) : [one, other];
}

function single(name: string): readonly string[] {
  let list = singles.get(name);
  if (list === undefined) {
    if (singles.size >= maxNamespaces) singles.clear();
    list = [name];
    singles.set(name, list);
  }
  return list;
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((name, i) => name === other[i]));
}
