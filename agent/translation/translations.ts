// What the node's conntrack knows of translated connections: which backend really got a connection to a Service
// address, and which address the other side saw (join.md).
import { parseAddress } from '../../model/address.ts';
import { parseProtocol } from '../../model/protocol.ts';
import type { Translation, Tuple } from '../../model/record.ts';

export class Translations {
  readonly #byTuple = new Map<string, Translation>();
  readonly #limit: number;

  /** Keeps the newest `limit` translations. */
  constructor(limit: number) {
    this.#limit = limit * 2;
  }

  learn(protocol: number, translation: Translation): void {
    this.#keep(tupleKey(protocol, translation.original), translation);
    this.#keep(tupleKey(protocol, translation.translated), translation);
  }

  /** The translation of which `tuple` is either side. */
  find(protocol: number, tuple: Tuple): Translation | undefined {
    return this.#byTuple.size === 0 ? undefined : this.#byTuple.get(tupleKey(protocol, tuple));
  }

  #keep(key: string, translation: Translation): void {
    this.#byTuple.delete(key);
    this.#byTuple.set(key, translation);
    if (this.#byTuple.size > this.#limit) this.#byTuple.delete(this.#byTuple.keys().next().value!);
  }
}

function tupleKey(protocol: number, tuple: Tuple): string {
  return `${protocol} ${tuple.initiator} ${tuple.initiatorPort} ${tuple.responder} ${tuple.responderPort}`;
}

/**
 * One line of `conntrack -E` or `conntrack -L`: the protocol's number, then the original and the reply tuple. Undefined
 * where the line is no such entry, or its reply is the plain inverse: nothing was translated.
 */
export function parseConntrackLine(line: string): { protocol: number; translation: Translation } | undefined {
  const protocol = parseProtocol(/^(?:\s*\[\w+\])?\s*([a-z][a-z0-9-]*)\s/.exec(line)?.[1] ?? '');
  if (protocol === undefined) return undefined;
  const [original, reply] = [
    ...line.matchAll(/src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?(?: type=\d+ code=\d+ id=(\d+))?/g),
  ];
  if (original === undefined || reply === undefined) return undefined;
  const before = tupleOf(original);
  const answer = tupleOf(reply);
  if (before === undefined || answer === undefined) return undefined;
  const echo = original[5] !== undefined;
  const after: Tuple = {
    initiator: answer.responder,
    initiatorPort: echo ? answer.initiatorPort : answer.responderPort,
    responder: answer.initiator,
    responderPort: echo ? 0 : answer.initiatorPort,
  };
  if (tupleKey(protocol, before) === tupleKey(protocol, after)) return undefined;
  return { protocol, translation: { original: before, translated: after } };
}

function tupleOf(match: RegExpExecArray): Tuple | undefined {
  const initiator = parseAddress(match[1]!);
  const responder = parseAddress(match[2]!);
  if (initiator === undefined || responder === undefined) return undefined;
  return {
    initiator,
    initiatorPort: Number(match[3] ?? match[5] ?? 0),
    responder,
    responderPort: Number(match[4] ?? 0),
  };
}
