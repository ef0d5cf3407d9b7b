// The collector: ingest -> store -> join -> identity -> verdict -> findings -> store -> API.
import type { Logger } from 'pino';
import { loadedCertificatesFrom, readTlsCredentials } from '../certs/read.ts';
import { watchExpiry } from '../certs/validity.ts';
import { systemClock } from '../cluster/clock.ts';
import { clusterEventLog } from '../cluster/event-log.ts';
import { manifestSource } from '../cluster/manifests/watch.ts';
import { openClusterSource } from '../cluster/open.ts';
import { OpenProblems } from '../cluster/open-problems.ts';
import { steadyClockOfKernel } from '../cluster/steady-clock.ts';
import { noDeclaredPolicies } from '../config/errors.ts';
import type { ClusterEvent } from '../model/kubernetes.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { reasonOf } from '../model/reason.ts';
import type { Change } from './api/api.ts';
import { serveApi } from './api/server.ts';
import { withWallTimes } from './api/wall-times.ts';
import type { CollectorConfig } from './config.ts';
import { ClusterHistory } from './identity/cluster-history.ts';
import { DeclaredPolicies } from './identity/declared-policies.ts';
import { DnsNames, interfaceKey } from './identity/dns-names.ts';
import { Identities } from './identity/identity.ts';
import { NearAddresses } from './identity/near-address.ts';
import { withPodTimes } from './identity/pod-times.ts';
import { restoreObjects } from './identity/restored-objects.ts';
import { zoneFinder } from './identity/zones.ts';
import { Agents } from './ingest/agents.ts';
import { type IngestedBatch, serveIngest } from './ingest/ingest.ts';
import { NodeClaims } from './ingest/node-claims.ts';
import { ThrottledLog } from './ingest/throttled-log.ts';
import { Pipeline } from './pipeline.ts';
import { Publisher } from './publish.ts';
import { readinessOf } from './readiness.ts';
import { restorePipeline } from './restored-pipeline.ts';
import { SavedRuns, wallOffsetAtStart } from './saved-runs.ts';
import { statusOf } from './status.ts';
import { openDuckdb } from './store/duckdb/duckdb.ts';
import { ObjectJournal } from './store/object-journal.ts';
import { PendingWrites } from './store/pending-writes.ts';
import { readPassword } from './store/series/password.ts';
import { Series } from './store/series/series.ts';
import { StoredNamesWriter } from './stored-names.ts';

const tickIntervalMs = 50;
const maxPerTick = 200;
const publishIntervalMs = 250;
const retentionIntervalMs = 60_000;
/** After a crash, changes of the cluster are uncertain for at most this long before it. */
const knownObjectsIntervalMs = 60_000;
/** Connections that are joined again began in this time, except for a few that are older. */
const objectHistoryUs = 3_600_000_000;
const saveRunsIntervalMs = 5_000;
const seriesIntervalMs = 10_000;
/** Shorter than the time of batches that are joined again: those have the names that are not stored yet. */
const namesIntervalMs = 60_000;

/** Runs until `signal`; rejects with a ProblemError if it cannot start. */
export async function runCollector(
  config: CollectorConfig,
  version: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  if (config.policy.judgeBy === 'declared' && config.policy.declared.length === 0)
    throw new ProblemError(noDeclaredPolicies());
  const tls = readTlsCredentials(config.tls);
  watchExpiry(loadedCertificatesFrom(tls, config.tls), (problem) => log.warn(problemLine(problem)), signal);
  const store = await openDuckdb({
    path: config.store.path,
    memoryLimitBytes: config.store.memoryLimit,
    maxAgeMs: config.store.maxAge,
    maxBytes: config.store.maxBytes,
    onUnreadable: (row, reason) => log.error({ row, reason }, 'stored row cannot be read, skipped'),
  });
  let onClockSet = () => {};
  const clock = steadyClockOfKernel(
    (stepUs) => {
      log.warn({ byMs: Math.round(stepUs / 1000) }, 'the system clock was set');
      onClockSet();
    },
    wallOffsetAtStart(await store.clock(), Date.now() * 1000),
  );
  const { nowUs } = clock;
  const steadyTimers = { ...systemClock, nowUs };
  const startedUs = nowUs();
  const series =
    config.series.url === ''
      ? undefined
      : new Series(
          {
            ...config.series,
            password: readPassword(config.series.passwordFile),
            maxConnections: config.join.maxLive,
            maxFindings: config.findings.max,
            intervalMs: seriesIntervalMs,
          },
          log,
        );
  const cluster = new ClusterHistory(config.cluster.dnsServers);
  const claimLog = new ThrottledLog(log, nowUs);
  const agents = new Agents(new NodeClaims(cluster), (node, claim, reason) =>
    claimLog.warn(node, { node, claim, reason }, 'claim of an agent refused'),
  );
  const dnsNames = new DnsNames(config.names.maxAddresses, cluster.dnsServers, cluster);
  const identities = new Identities(cluster, zoneFinder(config.cluster.zones), config.cluster.ranges, agents);
  const { declared: paths, judgeBy } = config.policy;
  const declaredPolicies = new DeclaredPolicies(
    paths.length === 0 ? undefined : manifestSource(paths, steadyTimers),
    judgeBy,
    cluster,
  );
  const pipeline = new Pipeline(
    {
      join: {
        answerTimeoutUs: config.join.answerTimeout * 1000,
        maxLagUs: config.join.maxLag * 1000,
        maxWaitUs: config.join.maxWait * 1000,
        maxLive: config.join.maxLive,
      },
      verdict: { policy: config.policy, graceUs: config.findings.grace * 1000 },
      maxFindings: config.findings.max,
    },
    cluster,
    identities,
    agents,
    new NearAddresses(cluster, agents, {
      prefixes: config.cluster.forwarders,
      annotatedNamespaces: config.cluster.forwarderNamespaces,
    }),
    dnsNames,
    declaredPolicies.comparedPolicies,
  );
  const savedRuns = new SavedRuns(agents.runs, store, clock, log);
  onClockSet = () => void savedRuns.save();
  const listeners = new Set<(change: Change) => void>();
  const problems = new OpenProblems();

  const pendingWrites = new PendingWrites(config.join.maxLive);
  const namesWriter = new StoredNamesWriter(dnsNames, store, log);
  const publisher = new Publisher(pipeline, { listeners, series, pendingWrites, store }, log);

  const processBatch = (batch: IngestedBatch) => {
    const { node, instance, records, dns, clockOffsetUs } = batch;
    const source = {
      keyOf: (index: number) => interfaceKey(node, index),
      podUidOf: (index: number) => agents.provenPodAt(node, instance, index),
    };
    dnsNames.learn(dns, source, clockOffsetUs);
    dnsNames.observe(records, source, clockOffsetUs);
    pipeline.receive(batch, nowUs());
  };

  const receiveFromCluster = (event: ClusterEvent) =>
    declaredPolicies.receiveFromCluster(withPodTimes(event, clock.wallOffsetUs));
  const logClusterEvent = clusterEventLog(log, problems);
  const stored = await store.cluster();
  const source = openClusterSource(config.cluster, undefined, steadyTimers);
  const journal = new ObjectJournal(store, stored !== undefined, log);
  const synced = declaredPolicies.start(logClusterEvent).then(() => {
    const baseUs = nowUs() - objectHistoryUs;
    const former = stored && restoreObjects(stored.versions, stored.known, baseUs, receiveFromCluster);
    return source.start((event) => {
      logClusterEvent(event);
      journal.receive(event);
      receiveFromCluster(event);
    }, former);
  });
  try {
    await Promise.race([synced, aborted(signal)]);
    await journal.write(source.known());
    await restore();
    const ingestServer = await serveIngest(
      {
        listen: config.ingest.listen,
        tls,
        maxBatchRecords: config.ingest.maxBatchRecords,
        maxAgents: config.ingest.maxAgents,
        maxAgentRate: config.ingest.maxAgentRate,
        nowUs,
      },
      agents,
      { store: (batch) => store.putBatch(batch), process: processBatch },
      log,
    );
    const api = await serveApi(
      { listen: config.api.listen, clients: config.api.clients, tls, healthListen: config.health.listen },
      withWallTimes(
        {
          findings: (query) => publisher.publish().then(() => store.findings(query)),
          connections: (query) => publisher.publish().then(() => store.connections(query)),
          status: async () => {
            await publisher.publish();
            return statusOf({
              version,
              startedUs,
              nowUs: nowUs(),
              wallOffsetUs: clock.wallOffsetUs,
              cluster,
              problems: problems.all,
              agents,
              streamsRefused: ingestServer.streamsRefused(),
              pipeline: pipeline.counts,
              store: { ...(await store.totals()), ...pendingWrites.counts },
              series: series?.counts() ?? null,
            });
          },
          subscribe(listener) {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
        },
        () => clock.wallOffsetUs,
      ),
      () => readinessOf(cluster),
      log,
    ).catch(async (error: unknown) => {
      await ingestServer.stop();
      throw error;
    });
    const stopTicking = startTicking(pipeline, nowUs);
    const timers = [
      setInterval(() => publisher.publish(), publishIntervalMs),
      setInterval(() => journal.write(), publishIntervalMs),
      setInterval(() => journal.write(source.known()), knownObjectsIntervalMs),
      setInterval(() => namesWriter.write(), namesIntervalMs),
      setInterval(() => savedRuns.save(), saveRunsIntervalMs),
      setInterval(() => {
        store
          .applyRetention(nowUs())
          .catch((error: unknown) => log.error({ reason: reasonOf(error) }, 'retention failed'));
      }, retentionIntervalMs),
    ];
    log.info({ ingest: ingestServer.port, api: api.port, health: api.healthPort }, 'collector listening');
    await aborted(signal);
    for (const timer of timers) clearInterval(timer);
    stopTicking();
    await ingestServer.stop();
    pipeline.tick(nowUs());
    await api.close();
  } finally {
    await source.stop();
    await declaredPolicies.stop();
    await journal.write(source.known());
    await publisher.publish();
    await namesWriter.write();
    await savedRuns.save();
    const { waiting } = pendingWrites.counts;
    if (waiting > 0)
      log.error({ reason: publisher.storeError, pending: waiting }, 'store write failed at shutdown, changes lost');
    await series?.close(2_000);
    await store.close();
    log.info('collector stopped');
  }

  async function restore(): Promise<void> {
    await savedRuns.restore();
    const unreadable = dnsNames.restore(await store.names());
    if (unreadable.length > 0) log.warn({ interfaces: unreadable.slice(0, 10) }, 'stored DNS names cannot be read');
    const options = {
      maxLive: config.join.maxLive,
      maxFindings: config.findings.max,
      // Of declared policies, only the versions of now are known.
      knownSinceUs: config.policy.declared.length === 0 ? nowUs() - objectHistoryUs : nowUs(),
    };
    const { connections, batches } = await restorePipeline(pipeline, store, options, nowUs(), processBatch);
    series?.restore(connections, await store.findings({ last: config.findings.max }));
    if (batches > 0) log.info({ batches }, 'stored batches joined again');
  }
}

/** Evaluates in small steps, so that agents and readers are not blocked. Returns a function that stops it. */
function startTicking(pipeline: Pipeline, nowUs: () => number): () => void {
  let stopped = false;
  const tick = () => {
    if (stopped) return;
    if (pipeline.tick(nowUs(), maxPerTick)) setImmediate(tick);
    else setTimeout(tick, tickIntervalMs);
  };
  tick();
  return () => {
    stopped = true;
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
