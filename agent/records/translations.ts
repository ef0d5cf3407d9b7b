// Translations from the node's conntrack: which backend got a connection to a Service address, and which address the
// other side saw (docs/join.md).
import { parseAddress } from '../../model/address.ts';
import { parseProtocol, TCP } from '../../model/protocol.ts';
import type { ConnectionRecord, Translation, Tuple } from '../../model/record.ts';

/** An entry that conntrack reports later than this after a record belongs to another connection on the same ports. */
const maxConntrackDelayUs = 3_000_000;
/** Conntrack is late by milliseconds, so only the latest records can still get a translation. */
const maxSentRecords = 5_000;
/**
 * When a translation no longer applies. A SYN this long after conntrack reported the translation begins another
 * connection, which conntrack reports again. Without a SYN, the connection may continue as long as conntrack keeps its
 * entry: days for TCP, less for other protocols (nf_conntrack_udp_timeout_stream is 120 s).
 */
const staleAfterUs = { syn: maxConntrackDelayUs, idle: 180_000_000 };
const zero = { forward: 0, reverse: 0 };

/** `lastUsedUs`: time of the last packet of a record that got this translation. */
type KnownTranslation = { translation: Translation; reportedUs: number; lastUsedUs: number };

export class Translations {
  readonly #byTuple = new Map<string, KnownTranslation>();
  /** The latest record that was sent of each connection, oldest first. */
  readonly #sentRecords = new Map<string, ConnectionRecord>();
  readonly #maxTranslations: number;
  readonly #nowUs: () => number;
  #late: ConnectionRecord[] = [];

  /** Keeps the newest `maxTranslations`. */
  constructor(maxTranslations: number, nowUs: () => number) {
    this.#maxTranslations = maxTranslations;
    this.#nowUs = nowUs;
  }

  learn(protocol: number, translation: Translation): void {
    this.#remember(tupleKey(protocol, translation.original), translation);
    this.#remember(tupleKey(protocol, translation.translated), translation);
  }

  /** Sets the record's translation if one is known. Remembers the record, because conntrack may report later. */
  translate(record: ConnectionRecord): void {
    const key = tupleKey(record.protocol, record);
    record.translation = this.#translationOf(key, record);
    this.#sentRecords.delete(key);
    // Conntrack has reported all it knows of a connection that is older than its delay.
    if (record.lastUs - record.beganUs > maxConntrackDelayUs) return;
    this.#sentRecords.set(key, record);
    if (this.#sentRecords.size > maxSentRecords) this.#sentRecords.delete(this.#sentRecords.keys().next().value!);
  }

  /** Records whose translation was learned after they were sent, since the last call; their counters are all 0. */
  takeLate(nowUs: number): ConnectionRecord[] {
    const corrected = this.#late;
    this.#late = [];
    for (const [key, record] of this.#sentRecords) {
      if (record.lastUs > nowUs - maxConntrackDelayUs) break;
      this.#sentRecords.delete(key);
    }
    return corrected;
  }

  #translationOf(key: string, record: ConnectionRecord): Translation | undefined {
    const known = this.#byTuple.get(key);
    if (known === undefined) return undefined;
    if (isStale(known, record)) {
      this.#byTuple.delete(key);
      return undefined;
    }
    known.lastUsedUs = Math.max(known.lastUsedUs, record.lastUs);
    return known.translation;
  }

  #remember(key: string, translation: Translation): void {
    this.#byTuple.delete(key);
    const reportedUs = this.#nowUs();
    this.#byTuple.set(key, { translation, reportedUs, lastUsedUs: reportedUs });
    if (this.#byTuple.size > this.#maxTranslations * 2) this.#byTuple.delete(this.#byTuple.keys().next().value!);
    const sentRecord = this.#sentRecords.get(key);
    if (sentRecord === undefined || isSame(sentRecord.translation, translation)) return;
    this.#sentRecords.delete(key);
    this.#late.push({
      ...sentRecord,
      packets: zero,
      frames: 0,
      bytes: zero,
      tcpFlags: zero,
      synRetries: 0,
      translation,
    });
  }
}

function isStale(
  { reportedUs, lastUsedUs }: KnownTranslation,
  { protocol, initiatorBy, beganUs }: ConnectionRecord,
): boolean {
  if (protocol !== TCP) return beganUs - lastUsedUs > staleAfterUs.idle;
  return initiatorBy === 'handshake' && beganUs - reportedUs > staleAfterUs.syn;
}

function isSame(known: Translation | undefined, { original, translated }: Translation): boolean {
  if (known === undefined) return false;
  return (
    tupleKey(0, known.original) === tupleKey(0, original) && tupleKey(0, known.translated) === tupleKey(0, translated)
  );
}

function tupleKey(protocol: number, tuple: Tuple): string {
  return `${protocol} ${tuple.initiator} ${tuple.initiatorPort} ${tuple.responder} ${tuple.responderPort}`;
}

/**
 * One line of `conntrack -E` or `conntrack -L`: the protocol, then the original and the reply tuple. Undefined if the
 * line is not an entry, or if nothing was translated: then the reply is the original with both ends swapped.
 */
export function parseConntrackLine(line: string): { protocol: number; translation: Translation } | undefined {
  const protocol = parseProtocol(/^(?:\s*\[\w+\])?\s*([a-z][a-z0-9-]*)\s/.exec(line)?.[1] ?? '');
  if (protocol === undefined) return undefined;
  const [original, reply] = [
    ...line.matchAll(/src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?(?: type=\d+ code=\d+ id=(\d+))?/g),
  ];
  if (original === undefined || reply === undefined) return undefined;
  const originalTuple = tupleOf(original);
  const replyTuple = tupleOf(reply);
  if (originalTuple === undefined || replyTuple === undefined) return undefined;
  const echo = original[5] !== undefined;
  const translatedTuple: Tuple = {
    initiator: replyTuple.responder,
    initiatorPort: echo ? replyTuple.initiatorPort : replyTuple.responderPort,
    responder: replyTuple.initiator,
    responderPort: echo ? 0 : replyTuple.initiatorPort,
  };
  if (tupleKey(protocol, originalTuple) === tupleKey(protocol, translatedTuple)) return undefined;
  return { protocol, translation: { original: originalTuple, translated: translatedTuple } };
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
