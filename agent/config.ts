// The agent's settings, each declared once (docs/config.md).
import { hostname } from 'node:os';
import { bytes, type ConfigOf, choice, duration, hostPort, integer, path, text } from '../config/setting.ts';
import { sourceNames } from './capture/choose.ts';

export const agentSchema = {
  node: {
    name: text({ default: '', help: `name of the node, as its Node object has it; empty: the host's name` }),
  },
  cluster: {
    manifests: path({ default: '', help: 'file or folder of manifests to read and watch in place of an API server' }),
    kubeconfig: path({ default: '', help: "kubeconfig for the API server; empty: the pod's service account" }),
  },
  collector: {
    address: hostPort({ default: 'waybill-collector:7443', help: 'where the collector takes in batches' }),
  },
  tls: {
    ca: path({ default: '/etc/waybill/tls/ca.crt', help: "certificate of who signed the collector's" }),
    cert: path({ default: '/etc/waybill/tls/tls.crt', help: 'certificate of this agent: it names the node' }),
    key: path({ default: '/etc/waybill/tls/tls.key', help: 'private key of the certificate' }),
  },
  capture: {
    source: choice(['auto', ...sourceNames], {
      default: 'auto',
      help: 'how packets are seen; by itself it is ebpf, else tap, else pcap, as the kernel lets it',
    }),
    bufferBytes: bytes({ default: '4MiB', min: '64KiB', help: "kernel buffer of each interface's two captures" }),
    maxConnections: integer({ default: 100_000, min: 100, max: 5_000_000, help: 'live connections held at once' }),
    drainEvery: duration({ default: '200ms', min: '20ms', max: '10s', help: 'how often records are handed over' }),
    reportEvery: duration({
      default: '30s',
      min: '1s',
      max: '10m',
      help: 'how often a long-lived connection whose state does not change is reported',
    }),
  },
  translation: {
    conntrack: choice(['auto', 'off'], {
      default: 'auto',
      help: 'whether backends of Services are learnt from conntrack',
    }),
    maxEntries: integer({ default: 100_000, min: 100, max: 5_000_000, help: 'translations remembered' }),
  },
  names: {
    dns: choice(['auto', 'off'], {
      default: 'auto',
      help: 'whether DNS answers to pods are read, so that addresses outside have names; off: nothing but headers is read',
    }),
    maxEntries: integer({ default: 20_000, min: 100, max: 1_000_000, help: 'answers remembered' }),
  },
  delivery: {
    maxBatchRecords: integer({ default: 5_000, min: 1, max: 50_000, help: 'records in one batch' }),
    maxQueuedRecords: integer({
      default: 500_000,
      min: 1_000,
      max: 50_000_000,
      help: 'records kept while the collector does not acknowledge; what overflows is lost and counted, oldest first',
    }),
  },
  health: {
    listen: hostPort({ default: '0.0.0.0:7446', help: 'where /healthz and /readyz answer, plain HTTP' }),
  },
  log: {
    level: choice(['debug', 'info', 'warn', 'error'], { default: 'info', help: 'what is logged' }),
  },
};

export type AgentConfig = ConfigOf<typeof agentSchema>;

/** The node that this agent stands on. */
export function nodeName(config: AgentConfig): string {
  return config.node.name === '' ? hostname() : config.node.name;
}
