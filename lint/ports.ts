// Compares the ports of two rules as sets: whether one is within the other, or both are disjoint.
import type { ClusterPort } from '../model/kubernetes.ts';

/** Whether `outer` matches everything that `inner` matches. An empty list matches every port and protocol. */
export function arePortsWithin(inner: readonly ClusterPort[], outer: readonly ClusterPort[]): boolean {
  if (outer.length === 0) return true;
  return inner.length > 0 && inner.every((one) => isPortWithin(one, outer));
}

/** Whether no connection can match both. */
export function arePortsDisjoint(some: readonly ClusterPort[], others: readonly ClusterPort[]): boolean {
  if (some.length === 0 || others.length === 0) return false;
  return some.every((one) => others.every((other) => isDisjoint(one, other)));
}

function isPortWithin(inner: ClusterPort, outer: readonly ClusterPort[]): boolean {
  const ofProtocol = outer.filter(({ protocol }) => protocol === undefined || protocol === inner.protocol);
  const { port } = inner;
  if (ofProtocol.some((one) => one.port === undefined)) return true;
  if (port === undefined) return false;
  if (typeof port === 'string') return ofProtocol.some((one) => one.port === port);
  return isCovered(port, inner.endPort ?? port, ofProtocol);
}

/** Several ranges together may cover it. */
function isCovered(first: number, last: number, entries: readonly ClusterPort[]): boolean {
  const ranges = entries.flatMap(({ port, endPort }) => (typeof port === 'number' ? [[port, endPort ?? port]] : []));
  let next = first;
  for (const [from, to] of ranges.sort((a, b) => a[0]! - b[0]!)) if (from! <= next) next = Math.max(next, to! + 1);
  return next > last;
}

function isDisjoint(one: ClusterPort, other: ClusterPort): boolean {
  if (one.protocol !== undefined && other.protocol !== undefined && one.protocol !== other.protocol) return true;
  if (typeof one.port !== 'number' || typeof other.port !== 'number') return false;
  return (one.endPort ?? one.port) < other.port || (other.endPort ?? other.port) < one.port;
}
