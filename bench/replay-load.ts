// A cluster whose pods are the ends of the conversations in bench/capture-file.ts, as manifests. Policies allow half of
// the clients' connections.
import { clients, serverPorts, servers } from './capture-file.ts';
import {
  byLabel,
  type KubernetesObject,
  manifestOf,
  namespaceObject,
  networkPolicyObject,
  numbers,
  podObject,
  tcp,
} from './cluster.ts';

const clientApps = 50;
const serverApps = 20;
const namespace = 'shop';

export function clusterManifest(): string {
  return manifestOf([
    namespaceObject(namespace),
    ...pods('client', clients, clientApps, '10.1'),
    ...pods('server', servers, serverApps, '10.2'),
    ...numbers(serverApps).map(policy),
  ]);
}

/** Numbered from 1, as in the capture files. */
function pods(role: 'client' | 'server', count: number, apps: number, block: string): KubernetesObject[] {
  return numbers(count).map((i) => {
    const number = i + 1;
    return podObject({
      namespace,
      name: `${role}-${number}`,
      labels: { app: `${role}-${number % apps}` },
      node: 'node-a',
      address: `${block}.${number >> 8}.${number & 255}`,
    });
  });
}

function policy(server: number): KubernetesObject {
  const allowedClients = numbers(clientApps).filter((client) => (client + server) % 2 === 0);
  return networkPolicyObject(namespace, `server-${server}`, {
    podSelector: byLabel('app', `server-${server}`),
    ingress: [
      {
        from: allowedClients.map((client) => ({ podSelector: byLabel('app', `client-${client}`) })),
        ports: tcp(...serverPorts),
      },
    ],
  });
}
