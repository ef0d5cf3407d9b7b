// The settings of the agent. docs/config.md is generated from them.
import { hostname } from 'node:os';
import { bytes, type ConfigOf, choice, duration, hostPort, integer, path, paths, text } from '../config/setting.ts';
import { sourceNames } from './capture/choose.ts';

export const agentSchema = {
  node: {
    name: text({ default: '', help: 'Name of the node, as in its Node object; empty: the host name' }),
  },
  cluster: {
    manifests: paths({ help: 'Files and folders of manifests to read and watch instead of an API server' }),
    kubeconfig: path({ default: '', help: 'Kubeconfig for the API server; empty: the service account of the pod' }),
  },
  collector: {
    address: hostPort({ default: 'waybill-collector:7443', help: 'Address of the collector (its ingest.listen)' }),
  },
  tls: {
    ca: path({ default: '/etc/waybill/tls/ca.crt', help: "CA certificate that signed the collector's certificate" }),
    cert: path({ default: '/etc/waybill/tls/tls.crt', help: 'Certificate of this agent; it names the node' }),
    key: path({ default: '/etc/waybill/tls/tls.key', help: 'Private key of the certificate' }),
  },
  capture: {
    source: choice(['auto', ...sourceNames], {
      default: 'auto',
      help: 'How to capture packets; auto: the first of ebpf, tap and pcap that the kernel supports',
    }),
    bufferBytes: bytes({
      default: '4MiB',
      min: '64KiB',
      help: 'Kernel buffer of each interface; the capture source pcap uses it',
    }),
    maxConnections: integer({
      default: 100_000,
      min: 100,
      max: 5_000_000,
      help: 'Track at most this many live connections, and an eighth more of pods that have few',
    }),
    drainEvery: duration({
      default: '200ms',
      min: '20ms',
      max: '10s',
      help: 'How often to read connection records from the capture source',
    }),
    reportEvery: duration({
      default: '30s',
      min: '1s',
      max: '10m',
      help: 'How often to report a long-lived connection whose state does not change',
    }),
  },
  translation: {
    conntrack: choice(['auto', 'off'], {
      default: 'auto',
      help: 'Whether to find the backends of Services with conntrack',
    }),
    maxEntries: integer({
      default: 100_000,
      min: 100,
      max: 5_000_000,
      help: 'Remember at most this many translations',
    }),
  },
  names: {
    dns: choice(['auto', 'off'], {
      default: 'auto',
      help: 'Whether to name external addresses by DNS answers to pods; off: read packet headers only',
    }),
    maxEntries: integer({ default: 20_000, min: 100, max: 1_000_000, help: 'Remember at most this many DNS answers' }),
  },
  delivery: {
    maxBatchRecords: integer({
      default: 5_000,
      min: 1,
      max: 50_000,
      help: 'Send at most this many records in a batch',
    }),
    maxQueuedRecords: integer({
      default: 500_000,
      min: 1_000,
      max: 50_000_000,
      help: 'Queue at most this many unacknowledged records; beyond that, the oldest are lost and counted',
    }),
  },
  health: {
    listen: hostPort({ default: '0.0.0.0:7446', help: 'Address of /healthz and /readyz (plain HTTP)' }),
  },
  log: {
    level: choice(['debug', 'info', 'warn', 'error'], { default: 'info', help: 'Lowest level to log' }),
  },
};

export type AgentConfig = ConfigOf<typeof agentSchema>;

/** The node that this agent runs on. */
export function nodeName(config: AgentConfig): string {
  return config.node.name === '' ? hostname() : config.node.name;
}
