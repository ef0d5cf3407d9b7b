// What the node's conntrack knows of translated connections: which backend really got a connection to a Service
// address, and which address the other side saw (join.md).
import { parseAddress } from '../../model/address.ts';
import { parseProtocol, TCP } from '../../model/protocol.ts';
import type { ConnectionRecord, Translation, Tuple } from '../../model/record.ts';

/** What conntrack tells later than this after a record speaks of another connection with the same ends. */
const lateUs = 3_000_000;
/** Conntrack is late by milliseconds: more than come within them wait for nothing. */
const sentMost = 5_000;
/**
 * A SYN so long after conntrack told of its ends begins another connection, of which conntrack tells anew. Without a SYN
 * one goes on, as long as conntrack may hold it: TCP for days, others for less (nf_conntrack_udp_timeout_stream, 120 s).
 */
const formerUs = { syn: lateUs, silence: 180_000_000 };
const zero = { forward: 0, reverse: 0 };

/** `usedUs`: the last packet of a record that it was found for. */
type Told = { translation: Translation; toldUs: number; usedUs: number };

export class Translations {
  readonly #byTuple = new Map<string, Told>();
  /** Records that went out, the latest of each connection, oldest first. */
  readonly #sent = new Map<string, ConnectionRecord>();
  readonly #limit: number;
  readonly #nowUs: () => number;
  #late: ConnectionRecord[] = [];

  /** Keeps the newest `limit` translations. */
  constructor(limit: number, nowUs: () => number) {
    this.#limit = limit;
    this.#nowUs = nowUs;
  }

  learn(protocol: number, translation: Translation): void {
    this.#keep(tupleKey(protocol, translation.original), translation);
    this.#keep(tupleKey(protocol, translation.translated), translation);
  }

  /** Sets the record's translation, where it is either side of one, and remembers it: conntrack may speak late. */
  translate(record: ConnectionRecord): void {
    const key = tupleKey(record.protocol, record);
    record.translation = this.#translationOf(key, record);
    this.#sent.delete(key);
    // Of a connection that is older, conntrack has said long ago what it has to say.
    if (record.lastUs - record.beganUs > lateUs) return;
    this.#sent.set(key, record);
    if (this.#sent.size > sentMost) this.#sent.delete(this.#sent.keys().next().value!);
  }

  /** Since it was last asked: records sent before, now with their translation and with nothing counted anew. */
  late(nowUs: number): ConnectionRecord[] {
    const late = this.#late;
    this.#late = [];
    for (const [key, record] of this.#sent) {
      if (record.lastUs > nowUs - lateUs) break;
      this.#sent.delete(key);
    }
    return late;
  }

  #translationOf(key: string, record: ConnectionRecord): Translation | undefined {
    const told = this.#byTuple.get(key);
    if (told === undefined) return undefined;
    if (isOfFormer(told, record)) {
      this.#byTuple.delete(key);
      return undefined;
    }
    told.usedUs = Math.max(told.usedUs, record.lastUs);
    return told.translation;
  }

  #keep(key: string, translation: Translation): void {
    this.#byTuple.delete(key);
    const toldUs = this.#nowUs();
    this.#byTuple.set(key, { translation, toldUs, usedUs: toldUs });
    if (this.#byTuple.size > this.#limit * 2) this.#byTuple.delete(this.#byTuple.keys().next().value!);
    const sent = this.#sent.get(key);
    if (sent === undefined || isSame(sent.translation, translation)) return;
    this.#sent.delete(key);
    this.#late.push({ ...sent, packets: zero, frames: 0, bytes: zero, tcpFlags: zero, synRetries: 0, translation });
  }
}

function isOfFormer({ toldUs, usedUs }: Told, { protocol, initiatorBy, beganUs }: ConnectionRecord): boolean {
  if (protocol !== TCP) return beganUs - usedUs > formerUs.silence;
  return initiatorBy === 'handshake' && beganUs - toldUs > formerUs.syn;
}

function isSame(told: Translation | undefined, { original, translated }: Translation): boolean {
  if (told === undefined) return false;
  return (
    tupleKey(0, told.original) === tupleKey(0, original) && tupleKey(0, told.translated) === tupleKey(0, translated)
  );
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
