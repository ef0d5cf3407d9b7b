// The node's own addresses, on bridges and tunnels too: a node speaks to its pods from them, and Node objects do not tell
// them all.
import { networkInterfaces } from 'node:os';

/** kube-proxy's, in IPVS mode: it holds the addresses of Services. */
const ipvsInterface = 'kube-ipvs0';
const maxAddresses = 1_000;

/** Without those that mean something on one link or on this machine only. */
export function nodeAddresses(): string[] {
  return Object.entries(networkInterfaces())
    .flatMap(([name, addresses]) => (name === ipvsInterface ? [] : (addresses ?? [])))
    .filter(({ internal, address, scopeid }) => !internal && !scopeid && !address.startsWith('169.254.'))
    .map(({ address }) => address)
    .sort()
    .slice(0, maxAddresses);
}
