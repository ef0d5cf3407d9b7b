// The node's own addresses, including those of bridges and tunnels. The node uses them towards its pods, and its Node
// object does not list them all.
import { networkInterfaces } from 'node:os';

/** Of kube-proxy in IPVS mode: it has the addresses of Services. */
const ipvsInterface = 'kube-ipvs0';
const maxAddresses = 1_000;

/** Without loopback and link-local addresses. */
export function nodeAddresses(): string[] {
  return Object.entries(networkInterfaces())
    .flatMap(([name, addresses]) => (name === ipvsInterface ? [] : (addresses ?? [])))
    .filter(({ internal, address, scopeid }) => !internal && !scopeid && !address.startsWith('169.254.'))
    .map(({ address }) => address)
    .sort()
    .slice(0, maxAddresses);
}
