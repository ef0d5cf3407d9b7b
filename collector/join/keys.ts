// The key under which both observations of a connection meet: protocol and both ends in canonical order.
import { hash } from 'node:crypto';
import type { Tuple } from '../../model/record.ts';

export function tupleKey(protocol: number, tuple: Tuple): string {
  const a = `${tuple.initiator} ${tuple.initiatorPort}`;
  const b = `${tuple.responder} ${tuple.responderPort}`;
  return a < b ? `${protocol} ${a} ${b}` : `${protocol} ${b} ${a}`;
}

/** Finds observations whose responder is not known yet: a Service address stands in its place. */
export function initiatorKey(protocol: number, tuple: Tuple): string {
  return `${protocol} ${tuple.initiator} ${tuple.initiatorPort}`;
}

/** The same connection gets the same id again when its records are joined a second time after a restart. */
export function connectionId(key: string, node: string, beganUs: number): string {
  return hash('sha1', `${key} ${node} ${beganUs}`, 'base64url').slice(0, 20);
}
