// The key by which both observations of a connection are joined: protocol and both ends in canonical order.
import { hash } from 'node:crypto';
import type { Tuple } from '../../model/record.ts';

export function tupleKey(protocol: number, tuple: Tuple): string {
  const a = `${tuple.initiator} ${tuple.initiatorPort}`;
  const b = `${tuple.responder} ${tuple.responderPort}`;
  return a < b ? `${protocol} ${a} ${b}` : `${protocol} ${b} ${a}`;
}

/** Key of the connections of one initiator. */
export function initiatorKey(protocol: number, { address, port }: { address: string; port: number }): string {
  return `${protocol} ${address} ${port}`;
}

/** The same for the same connection, also if its records are joined again after a restart. */
export function connectionId(key: string, node: string, interfaceIndex: number, beganUs: number): string {
  return hash('sha1', `${key} ${node} ${interfaceIndex} ${beganUs}`, 'base64url').slice(0, 20);
}
