// The collector: ingest -> store -> identity -> join -> verdict -> findings -> store -> API. The whole is seen here.
import type { Logger } from 'pino';
import { heldInFiles, readTls } from '../certs/read.ts';
import { watchEnds } from '../certs/validity.ts';
import { nowUs, systemClock } from '../cluster/clock.ts';
import { manifestSource } from '../cluster/manifests/watch.ts';
import { openClusterSource } from '../cluster/open.ts';
import { nothingDeclared } from '../config/errors.ts';
import type { ClusterEvent } from '../model/kubernetes.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import type { Change } from './api/api.ts';
import { serveApi } from './api/server.ts';
import type { CollectorConfig } from './config.ts';
import { ClusterHistory } from './identity/cluster-history.ts';
import { DeclaredPolicies } from './identity/declared-policies.ts';
import { Identities } from './identity/identity.ts';
import { Names } from './identity/names.ts';
import { zonesOf } from './identity/zones.ts';
import { Agents } from './ingest/agents.ts';
import { type IngestedBatch, ingest } from './ingest/ingest.ts';
import { Judging } from './judging.ts';
import { statusOf } from './status.ts';
import { openDuckdb } from './store/duckdb/duckdb.ts';
import { readPassword } from './store/series/password.ts';
import { Series } from './store/series/series.ts';
import { Unstored } from './store/unstored.ts';

const tickMs = 50;
const judgedAtOnce = 500;
const keepMs = 250;
const retainMs = 60_000;
const seriesEveryMs = 10_000;
/** Batches that may hold records of connections still open are joined again after a restart. */
const rejoinUs = 6 * 60 * 1_000_000;
const problemsShown = 20;
/** Some 500 bytes each. */
const maxNamedAddresses = 50_000;

/** Runs until `signal`; rejects with a ProblemError where it cannot begin. */
export async function runCollector(
  config: CollectorConfig,
  version: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const startedUs = nowUs();
  if (config.policy.judgeBy === 'declared' && config.policy.declared === '') throw new ProblemError(nothingDeclared());
  const tls = readTls(config.tls);
  watchEnds(heldInFiles(tls, config.tls), (problem) => log.warn(problemLine(problem)), signal);
  const store = await openDuckdb({
    path: config.store.path,
    memoryLimitBytes: config.store.memoryLimit,
    maxAgeMs: config.store.maxAge,
    maxBytes: config.store.maxBytes,
  });
  const series =
    config.series.url === ''
      ? undefined
      : new Series(
          {
            ...config.series,
            password: readPassword(config.series.passwordFile),
            maxConnections: config.join.maxLive,
            maxFindings: config.findings.max,
            everyMs: seriesEveryMs,
          },
          log,
        );
  const cluster = new ClusterHistory();
  const agents = new Agents();
  const names = new Names(maxNamedAddresses);
  const identities = new Identities(cluster, zonesOf(config.cluster.zones), config.cluster.ranges, agents, names);
  const { declared: path, judgeBy } = config.policy;
  const declared = new DeclaredPolicies(path === '' ? undefined : manifestSource(path, systemClock), judgeBy, cluster);
  const judging = new Judging(
    {
      join: {
        answerTimeoutUs: config.join.answerTimeout * 1000,
        maxLagUs: config.join.maxLag * 1000,
        maxLive: config.join.maxLive,
      },
      verdict: { policy: config.policy, graceUs: config.findings.grace * 1000 },
      maxFindings: config.findings.max,
    },
    cluster,
    identities,
    agents,
    declared.beside,
  );
  const listeners = new Set<(change: Change) => void>();
  const problems: string[] = [];

  const unstored = new Unstored(config.join.maxLive);
  let refusedFor: string | undefined;
  /** Hands what changed to the store, the series and the followers; one at a time. */
  let keeping: Promise<void> = Promise.resolve();
  const keep = (): Promise<void> => {
    keeping = keeping.then(async () => {
      const changes = judging.changes();
      for (const listener of listeners) {
        for (const finding of changes.findings.put) listener({ type: 'finding', finding });
        for (const connection of changes.connections) listener({ type: 'connection', connection });
      }
      series?.put(changes);
      unstored.add(changes);
      const why = await unstored.put(store).then(
        () => undefined,
        (error: unknown) => String(error),
      );
      if (why !== undefined && why !== refusedFor) log.error({ why }, 'the store refuses what was judged: it waits');
      if (why === undefined && refusedFor !== undefined)
        log.info(unstored.counts, 'the store takes again what is judged');
      refusedFor = why;
    });
    // One that fails is no reason for the next to fail.
    keeping = keeping.catch((error: unknown) => log.error({ why: String(error) }, 'what changed was not told'));
    return keeping;
  };

  const join = (batch: IngestedBatch) => {
    names.learn(batch.names, batch.clockOffsetUs);
    judging.receive(batch, nowUs());
  };

  const tell = (event: ClusterEvent) => {
    if (event.type === 'problem') {
      log.warn(problemLine(event.problem));
      problems.push(problemLine(event.problem));
      if (problems.length > problemsShown) problems.shift();
    }
    if (event.type === 'absent') log.info({ resource: event.resource }, 'the API server does not know this kind');
  };
  const source = openClusterSource(config.cluster, undefined);
  const synced = declared.start(tell).then(() =>
    source.start((event) => {
      tell(event);
      declared.receiveOfCluster(event);
    }),
  );
  try {
    await Promise.race([synced, aborted(signal)]);
    await restore();
    const taken = await ingest(
      {
        listen: config.ingest.listen,
        tls,
        maxBatchRecords: config.ingest.maxBatchRecords,
        maxAgents: config.ingest.maxAgents,
        nowUs,
      },
      agents,
      { keep: (batch) => store.putBatch(batch), join },
      log,
    );
    const api = await serveApi(
      { listen: config.api.listen, tls, healthListen: config.health.listen },
      {
        findings: (query) => keep().then(() => store.findings(query)),
        connections: (query) => keep().then(() => store.connections(query)),
        status: async () => {
          await keep();
          return statusOf({
            version,
            startedUs,
            nowUs: nowUs(),
            cluster,
            problems,
            agents,
            streamsRefused: taken.refused(),
            judging: judging.counts,
            store: { ...(await store.totals()), ...unstored.counts },
            series: series?.counts() ?? null,
          });
        },
        subscribe(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      () => (cluster.synced ? { ready: true, why: 'judging' } : { ready: false, why: 'the cluster is not known yet' }),
      log,
    ).catch(async (error: unknown) => {
      await taken.stop();
      throw error;
    });
    const stopJudging = judgeOften(judging);
    const timers = [
      setInterval(keep, keepMs),
      setInterval(() => {
        store.retain(nowUs()).catch((error: unknown) => log.error({ why: String(error) }, 'nothing could be deleted'));
      }, retainMs),
    ];
    log.info({ ingest: taken.port, api: api.port, health: api.healthPort }, 'collector listens');
    await aborted(signal);
    for (const timer of timers) clearInterval(timer);
    stopJudging();
    await taken.stop();
    judging.tick(nowUs());
    await api.close();
  } finally {
    await source.stop();
    await declared.stop();
    await keep();
    const { waiting } = unstored.counts;
    if (waiting > 0)
      log.error({ why: refusedFor, waiting }, 'the store refused what was judged to the end: it is lost');
    await series?.close(2_000);
    await store.close();
    log.info('collector ended');
  }

  /** Findings go on counting, and connections that may still be open are joined again. */
  async function restore(): Promise<void> {
    const sinceUs = nowUs() - rejoinUs;
    const findings = await store.findings({ last: config.findings.max });
    const connections = await store.connections({ sinceUs, last: config.join.maxLive });
    judging.restore(findings, connections);
    // What is joined again keeps its names, also those that were told long before.
    for (const { initiator, responder, startUs } of connections.toReversed()) {
      names.restore(initiator, startUs);
      names.restore(responder, startUs);
    }
    series?.restore(connections, findings);
    let batches = 0;
    for await (const batch of store.batchesSince(sinceUs)) {
      join(batch);
      batches += 1;
    }
    if (batches > 0) log.info({ batches }, 'joined again what was stored before');
  }
}

/** A part at a time, so that streams and readers are answered meanwhile. Returns what stops it. */
function judgeOften(judging: Judging): () => void {
  let stopped = false;
  const judge = () => {
    if (stopped) return;
    if (judging.tick(nowUs(), judgedAtOnce)) setImmediate(judge);
    else setTimeout(judge, tickMs);
  };
  judge();
  return () => {
    stopped = true;
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
