// A cluster whose pods are the ends of bench/capture-file.ts's conversations, as manifests: half of what the clients do is
// declared.
import { clients, serverPorts, servers } from './capture-file.ts';

const clientApps = 50;
const serverApps = 20;

export function clusterManifest(): string {
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    ...numbers(clients).map((nth) =>
      pod(`client-${nth}`, `client-${nth % clientApps}`, `10.1.${nth >> 8}.${nth & 255}`),
    ),
    ...numbers(servers).map((nth) =>
      pod(`server-${nth}`, `server-${nth % serverApps}`, `10.2.${nth >> 8}.${nth & 255}`),
    ),
    ...numbers(serverApps).map((nth) => policy(nth % serverApps)),
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

function pod(name: string, app: string, podIP: string) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: name, labels: { app } },
    spec: { nodeName: 'node-a', containers: [{ name: 'main' }] },
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  };
}

function policy(server: number) {
  const declared = numbers(clientApps).filter((nth) => (nth + server) % 2 === 0);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `server-${server}`, namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: `server-${server}` } },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: declared.map((nth) => ({ podSelector: { matchLabels: { app: `client-${nth}` } } })),
          ports: serverPorts.map((port) => ({ port, protocol: 'TCP' })),
        },
      ],
    },
  };
}

/** From 1. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
