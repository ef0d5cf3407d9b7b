// The collector's settings, each declared once (docs/config.md).
import { namedPrefixes, prefixes } from '../config/prefixes.ts';
import { bytes, type ConfigOf, choice, duration, flag, hostPort, integer, path, text, url } from '../config/setting.ts';

export const collectorSchema = {
  cluster: {
    manifests: path({ default: '', help: 'file or folder of manifests to read and watch in place of an API server' }),
    kubeconfig: path({ default: '', help: "kubeconfig for the API server; empty: the pod's service account" }),
    ranges: prefixes({ help: 'pod and service ranges that Node objects do not tell: no address in them is external' }),
    zones: namedPrefixes({ help: 'named sets of external addresses; the longest prefix wins, the rest is internet' }),
  },
  ingest: {
    listen: hostPort({ default: '0.0.0.0:7443', help: 'where agents connect' }),
    maxBatchRecords: integer({ default: 50_000, min: 1, max: 1_000_000, help: 'records that a batch may hold' }),
    maxAgents: integer({ default: 10_000, min: 1, max: 100_000, help: 'agents connected at once' }),
  },
  api: {
    listen: hostPort({ default: '0.0.0.0:7444', help: 'where the API answers, by TLS with client certificates' }),
  },
  health: {
    listen: hostPort({ default: '0.0.0.0:7445', help: 'where /healthz and /readyz answer, plain HTTP' }),
  },
  tls: {
    ca: path({ default: '/etc/waybill/tls/ca.crt', help: "certificate of who signed agents' and clients'" }),
    cert: path({ default: '/etc/waybill/tls/tls.crt', help: 'certificate of the collector' }),
    key: path({ default: '/etc/waybill/tls/tls.key', help: 'private key of the certificate' }),
  },
  join: {
    maxLag: duration({ default: '10s', min: '1s', max: '5m', help: 'the longest wait for an agent that lags' }),
    answerTimeout: duration({
      default: '1s',
      min: '100ms',
      max: '1m',
      help: 'when a connection that nobody answered is judged; a later answer is judged again',
    }),
    maxLive: integer({
      default: 250_000,
      min: 1_000,
      max: 50_000_000,
      help: 'connections held at once; a hundred thousand of them take some 800 MiB',
    }),
  },
  findings: {
    grace: duration({
      default: '10s',
      max: '10m',
      help: 'how long after a policy, pod or label change a bypass does not count',
    }),
    max: integer({ default: 100_000, min: 100, max: 5_000_000, help: 'findings held in memory' }),
  },
  policy: {
    declared: path({
      default: '',
      help: 'file or folder of manifests with the policies as they should be, as in Git; empty: none',
    }),
    judgeBy: choice(['both', 'declared'], {
      default: 'both',
      help: "with policy.declared: by the cluster's policies and these beside them (drift is told), or by these alone",
    }),
    ipBlockMatchesPods: flag({ default: true, help: 'whether ipBlock peers match the addresses of pods' }),
    declaredBy: choice(['any', 'every'], {
      default: 'any',
      help: 'whose rule declares a connection: either side, or both',
    }),
  },
  store: {
    path: path({ default: '/var/lib/waybill/waybill.duckdb', help: 'file of the embedded store' }),
    maxAge: duration({ default: '7d', min: '1m', help: 'what is older is deleted' }),
    maxBytes: bytes({ default: '10GiB', min: '16MiB', help: 'the oldest is deleted until the store is no larger' }),
    memoryLimit: bytes({ default: '256MiB', min: '64MiB', help: 'memory that the store may use' }),
  },
  series: {
    url: url({ default: '', help: 'InfluxDB to write time series to; empty: none' }),
    database: text({ default: 'waybill', help: 'database of the time series' }),
    username: text({ default: '', help: 'user of InfluxDB' }),
    passwordFile: path({ default: '', help: 'file that holds the password' }),
    maxQueuedPoints: integer({
      default: 100_000,
      min: 100,
      max: 10_000_000,
      help: 'points kept while InfluxDB does not answer; what overflows is dropped and counted',
    }),
  },
  log: {
    level: choice(['debug', 'info', 'warn', 'error'], { default: 'info', help: 'what is logged' }),
  },
};

export type CollectorConfig = ConfigOf<typeof collectorSchema>;
