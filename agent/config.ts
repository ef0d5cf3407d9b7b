// The agent's settings, each declared once (docs/config.md).
import { hostname } from 'node:os';
import { bytes, type ConfigOf, choice, duration, hostPort, integer, path, text } from '../config/setting.ts';
import { sourceNames } from './capture/choose.ts';

export const agentSchema = {
  node: {
    name: text({ default: '', help: `name of this node's Node object; empty: the host's name` }),
  },
  cluster: {
    manifests: path({ default: '', help: 'file or folder of manifests to read and watch in place of an API server' }),
    kubeconfig: path({ default: '', help: "kubeconfig for the API server; empty: the pod's service account" }),
  },
  collector: {
    address: hostPort({ default: 'waybill-collector:7443', help: 'address of the collector' }),
  },
  tls: {
    ca: path({
      default: '/etc/waybill/tls/ca.crt',
      help: "certificate of the authority that signed the collector's certificate",
    }),
    cert: path({ default: '/etc/waybill/tls/tls.crt', help: 'certificate of this agent, which names the node' }),
    key: path({ default: '/etc/waybill/tls/tls.key', help: 'private key of the certificate' }),
  },
  capture: {
    source: choice(['auto', ...sourceNames], {
      default: 'auto',
      help: 'how packets are captured; auto: the first of ebpf, tap and pcap that the node allows',
    }),
    bufferBytes: bytes({
      default: '4MiB',
      min: '64KiB',
      help: "with pcap: kernel buffer of each interface's two captures",
    }),
    maxConnections: integer({ default: 100_000, min: 100, max: 5_000_000, help: 'live connections tracked at once' }),
    drainEvery: duration({
      default: '200ms',
      min: '20ms',
      max: '10s',
      help: 'how often records are collected and sent',
    }),
    reportEvery: duration({
      default: '30s',
      min: '1s',
      max: '10m',
      help: 'how often a long-lived connection is reported if its state does not change',
    }),
  },
  translation: {
    conntrack: choice(['auto', 'off'], {
      default: 'auto',
      help: 'whether to learn the backends of Services from conntrack',
    }),
    maxEntries: integer({ default: 100_000, min: 100, max: 5_000_000, help: 'translations kept in memory' }),
  },
  names: {
    dns: choice(['auto', 'off'], {
      default: 'auto',
      help: 'whether to read DNS answers to pods, to name external addresses; off: only headers are read',
    }),
    maxEntries: integer({ default: 20_000, min: 100, max: 1_000_000, help: 'DNS answers kept in memory' }),
  },
  delivery: {
    maxBatchRecords: integer({ default: 5_000, min: 1, max: 50_000, help: 'records in one batch' }),
    maxQueuedRecords: integer({
      default: 500_000,
      min: 1_000,
      max: 50_000_000,
      help: 'records kept until the collector acknowledges them; above this, the oldest are lost and counted',
    }),
  },
  health: {
    listen: hostPort({ default: '0.0.0.0:7446', help: 'where /healthz and /readyz answer, plain HTTP' }),
  },
  log: {
    level: choice(['debug', 'info', 'warn', 'error'], { default: 'info', help: 'lowest level that is logged' }),
  },
};

export type AgentConfig = ConfigOf<typeof agentSchema>;

/** The node that this agent runs on. */
export function nodeName(config: AgentConfig): string {
  return config.node.name === '' ? hostname() : config.node.name;
}
