// The settings of the collector. docs/config.md is generated from them.
import { namedPrefixes, prefixes, workloadNames, zoneNames } from '../config/prefixes.ts';
import {
  bytes,
  type ConfigOf,
  choice,
  duration,
  flag,
  hostPort,
  integer,
  nameList,
  path,
  paths,
  text,
  textList,
  url,
} from '../config/setting.ts';

export const collectorSchema = {
  cluster: {
    manifests: paths({ help: 'Files and folders of manifests to read and watch instead of an API server' }),
    kubeconfig: path({ default: '', help: 'Kubeconfig for the API server; empty: the service account of the pod' }),
    ranges: prefixes({ help: 'Pod and Service CIDRs that no Node object has; their addresses are never external' }),
    dnsServers: prefixes({
      help: 'DNS servers to trust besides the DNS Service of the cluster: node-local caches, resolvers of the nodes',
    }),
    zones: namedPrefixes({
      help: 'Named sets of external addresses; the longest prefix wins, the rest is internet',
      names: zoneNames,
    }),
    forwarders: namedPrefixes({
      help: 'Workloads (NAMESPACE/WORKLOAD) that forward packets of others, such as gateways, and the addresses of these packets',
      names: workloadNames,
    }),
    forwarderNamespaces: nameList({
      help: 'Namespaces whose pods may allow themselves addresses: waybill.io/forwards, Calico allowedSourcePrefixes',
    }),
  },
  names: {
    maxAddresses: integer({
      default: 200_000,
      min: 1_000,
      max: 10_000_000,
      help: 'Remember the DNS names of at most this many external addresses, of all pods together',
    }),
  },
  ingest: {
    listen: hostPort({ default: '0.0.0.0:7443', help: 'Address for agents' }),
    maxBatchRecords: integer({
      default: 50_000,
      min: 1,
      max: 1_000_000,
      help: 'Accept at most this many records in a batch',
    }),
    maxAgents: integer({ default: 10_000, min: 1, max: 100_000, help: 'Accept at most this many connected agents' }),
    maxAgentRate: integer({
      default: 10_000,
      min: 100,
      max: 10_000_000,
      help: 'Read at most about this many records per second from one agent, after a burst of ten times as many',
    }),
  },
  api: {
    listen: hostPort({ default: '0.0.0.0:7444', help: 'Address of the API (TLS with client certificates)' }),
    clients: textList({
      default: ['waybill://client'],
      help: 'Names of client certificates that may use the API: a URI, DNS name or email of the subject alternative names',
    }),
  },
  health: {
    listen: hostPort({ default: '0.0.0.0:7445', help: 'Address of /healthz and /readyz (plain HTTP)' }),
  },
  tls: {
    ca: path({
      default: '/etc/waybill/tls/ca.crt',
      help: 'CA certificate that signed the certificates of agents and clients',
    }),
    cert: path({ default: '/etc/waybill/tls/tls.crt', help: 'Certificate of the collector' }),
    key: path({ default: '/etc/waybill/tls/tls.key', help: 'Private key of the certificate' }),
  },
  join: {
    maxLag: duration({
      default: '10s',
      min: '1s',
      max: '5m',
      help: 'Wait at most this long for an agent that lags, before the first evaluation of a connection',
    }),
    maxWait: duration({
      default: '2m',
      min: '1s',
      max: '1h',
      help: 'Keep a connection that ended at most this long for the records of the other side',
    }),
    answerTimeout: duration({
      default: '1s',
      min: '100ms',
      max: '1m',
      help: 'How long to wait for a reply before evaluating a connection (re-evaluated if one arrives later)',
    }),
    maxLive: integer({
      default: 250_000,
      min: 1_000,
      max: 50_000_000,
      help: 'Keep at most this many connections in memory (about 800 MiB for 100,000)',
    }),
  },
  findings: {
    grace: duration({
      default: '10s',
      max: '10m',
      help: 'How long a bypass does not count after a policy, pod or label change',
    }),
    max: integer({
      default: 100_000,
      min: 100,
      max: 5_000_000,
      help: 'Keep at most this many findings in memory; the others are read from the store when they change',
    }),
  },
  policy: {
    declared: paths({
      help: 'Files and folders with the declared policies, such as a clone of a Git repository; empty: none',
    }),
    judgeBy: choice(['both', 'declared'], {
      default: 'both',
      help: 'Policies to evaluate; both: those of the cluster, and policy.declared to find drift; declared: only policy.declared',
    }),
    ipBlockMatchesPods: flag({ default: true, help: 'Whether ipBlock peers match the addresses of pods' }),
    declaredBy: choice(['any', 'every'], {
      default: 'any',
      help: 'Sides that must have a matching rule, or the connection is undeclared; any: one side; every: each side in the cluster',
    }),
  },
  store: {
    path: path({ default: '/var/lib/waybill/waybill.duckdb', help: 'File of the embedded store (DuckDB)' }),
    maxAge: duration({ default: '7d', min: '1m', help: 'Delete data that is older than this' }),
    maxBytes: bytes({
      default: '10GiB',
      min: '16MiB',
      help: 'Delete the oldest data if the store is larger than this',
    }),
    memoryLimit: bytes({ default: '256MiB', min: '64MiB', help: 'Memory limit of the store' }),
  },
  series: {
    url: url({ default: '', help: 'InfluxDB for time series; empty: none' }),
    database: text({ default: 'waybill', help: 'InfluxDB database' }),
    username: text({ default: '', help: 'InfluxDB user' }),
    passwordFile: path({ default: '', help: 'File with the InfluxDB password' }),
    maxQueuedPoints: integer({
      default: 100_000,
      min: 100,
      max: 10_000_000,
      help: 'Queue at most this many points while InfluxDB does not answer; the oldest points are dropped and counted',
    }),
  },
  log: {
    level: choice(['debug', 'info', 'warn', 'error'], { default: 'info', help: 'Lowest level to log' }),
  },
};

export type CollectorConfig = ConfigOf<typeof collectorSchema>;
