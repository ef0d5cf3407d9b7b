// Assembles the agent: links -> capture -> records -> translation -> batches -> stream to the collector.
import { randomInt, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { PacketAccounting } from '../accounting/accounting.ts';
import { loadedCertificatesFrom, readNodeTlsCredentials } from '../certs/read.ts';
import { watchExpiry } from '../certs/validity.ts';
import { systemClock } from '../cluster/clock.ts';
import { clusterEventLog } from '../cluster/event-log.ts';
import { openClusterSource } from '../cluster/open.ts';
import { type SteadyClock, steadyClockOfKernel } from '../cluster/steady-clock.ts';
import { emptyDnsReport } from '../model/dns-answer.ts';
import { problemLine } from '../model/problem.ts';
import type { ConnectionRecord, Translation } from '../model/record.ts';
import { maxDnsNames } from '../proto/dns-names.ts';
import { chooseSource } from './capture/choose.ts';
import { DnsAnswers } from './capture/dns-answers.ts';
import { loadProgram } from './capture/ebpf/program.ts';
import { KernelSource } from './capture/ebpf/source.ts';
import { sourceRefused } from './capture/errors.ts';
import { PcapSource } from './capture/pcap/source.ts';
import type { CaptureSource, DnsEvent } from './capture/source.ts';
import { UnrecordedTraffic } from './capture/unrecorded.ts';
import { type AgentConfig, nodeName } from './config.ts';
import { BatchQueue } from './delivery/queue.ts';
import { CollectorStream } from './delivery/stream.ts';
import { serveHealth } from './health.ts';
import { ipProgram, PodLinks } from './interfaces/links.ts';
import { nodeAddresses } from './interfaces/node-addresses.ts';
import { podAddresses } from './interfaces/peer-addresses.ts';
import { InterfaceTable } from './interfaces/table.ts';
import { LocalPods } from './pods/pods.ts';
import { followConntrack } from './records/conntrack.ts';
import { Translations } from './records/translations.ts';
import { StateReporter } from './state.ts';

/** How long the shutdown waits for the collector to acknowledge the last batches. */
const shutdownTimeoutMs = 3_000;

/** Runs until `signal`; rejects with a ProblemError if it cannot start. */
export async function runAgent(config: AgentConfig, version: string, log: Logger, signal: AbortSignal): Promise<void> {
  const node = nodeName(config);
  const tls = readNodeTlsCredentials(config.tls, node);
  watchExpiry(loadedCertificatesFrom(tls, config.tls), (problem) => log.warn(problemLine(problem)), signal);
  const clock = steadyClockOfKernel((stepUs) => {
    log.info({ byMs: Math.round(stepUs / 1000) }, "the node's clock was set; times of records stay steady");
  });
  const { nowUs } = clock;
  const timers = { ...systemClock, nowUs };
  const accounting = new PacketAccounting();
  const unrecorded = new UnrecordedTraffic();
  const translations = new Translations(config.translation.maxEntries, nowUs);
  const dnsAnswers = config.names.dns === 'auto' ? new DnsAnswers(config.names.maxEntries) : undefined;
  const { source, reason } = openSource(config, clock, accounting, { translations, dnsAnswers, unrecorded }, log);
  const table = new InterfaceTable(
    podAddresses,
    (index) => source.visibility(index),
    (index, addresses) => source.setAddresses(index, addresses),
  );
  const pods = new LocalPods(node);
  const queue = new BatchQueue(accounting, config.delivery);
  let watchingSinceUs = 0;
  const state = new StateReporter(version, {
    source: () => ({
      name: source.name,
      reason: source.attachmentSummary === '' ? reason : `${reason}; towards pods: ${source.attachmentSummary}`,
    }),
    interfaces: () => table.wire(),
    notWatched: () => table.notWatched(),
    nodeAddresses,
    watchingSinceUs: () => watchingSinceUs,
    accounting: () => accounting.snapshot(),
    coverage: () => unrecorded.wire(),
  });
  const links = new PodLinks(
    ipProgram,
    {
      appeared(link, attempt) {
        try {
          // A link that is watched late may have connections already, so it counts as older than the agent.
          source.watch(attempt === 'first' ? link : { ...link, appearedUs: 0 });
          table.appeared(link, nowUs());
          return true;
        } catch (error) {
          const reason = (error as Error).message;
          if (table.markUnwatched(link, reason)) {
            log.warn({ interface: link.name, reason }, 'cannot watch pod interface');
          }
          return false;
        }
      },
      disappeared(index) {
        source.forget({ index, name: '', appearedUs: 0 });
        table.disappeared(index, nowUs());
      },
    },
    timers,
    log,
  );

  const cluster = openClusterSource(config.cluster, node, timers);
  let synced = false;
  const health = await serveHealth(config.health.listen, () =>
    synced ? { ready: true, reason: 'watching' } : { ready: false, reason: "this node's pods are not known yet" },
  );
  await links.start();
  watchingSinceUs = nowUs();
  const stream = new CollectorStream(
    {
      node,
      instance: randomUUID(),
      address: config.collector.address,
      tls,
      nowUs,
      wallOffsetUs: () => clock.wallOffsetUs,
      state: () => state.at(nowUs()),
      onConnected: () => dnsAnswers?.resend(nowUs()),
    },
    queue,
    log,
  );
  const records: ConnectionRecord[] = [];
  const enqueue = (coveredUntilUs: number) => {
    queue.enqueue(records, dnsAnswers?.drain(maxDnsNames, nowUs()) ?? emptyDnsReport, coveredUntilUs);
    records.length = 0;
  };
  const onRecord = (record: ConnectionRecord) => {
    if (config.translation.conntrack === 'auto') translations.translate(record);
    records.push(record);
    // 100,000 records may be due at once: as objects, at most one batch of them is in memory.
    if (records.length === config.delivery.maxBatchRecords) enqueue(queue.coveredUntilUs);
  };
  const flush = (coveredUntilUs: number) => {
    records.push(...translations.takeLate(nowUs()));
    logGap(
      log,
      unrecorded,
      unrecorded.refresh(nowUs(), (index) => table.at(index)),
    );
    enqueue(coveredUntilUs || queue.coveredUntilUs);
    stream.flush();
  };
  const bind = () => {
    table.refresh(nowUs());
    if (pods.bind(table.present(), nowUs())) table.updatePods((index) => pods.podAt(index));
  };
  const drain = () => {
    bind();
    flush(source.drain(nowUs(), onRecord));
  };
  const timer = setInterval(drain, config.capture.drainEvery);
  log.info({ node, collector: config.collector.address, source: source.name, reason }, 'agent started');

  // Needed even if the eBPF program looks up conntrack: at the first packet, conntrack has no entry yet.
  const conntrackFollower =
    config.translation.conntrack === 'auto' ? followConntrack(translations, signal, log) : Promise.resolve();
  const logClusterEvent = clusterEventLog(log);
  const clusterStarted = cluster
    .start((event) => {
      logClusterEvent(event);
      pods.receive(event);
      if (event.type !== 'synced') return;
      // Before the agent is ready, so that a pod that ends right after that is known with its interface.
      bind();
      synced = true;
    })
    .catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ reason }, 'cannot read the pods of this node');
    });

  await aborted(signal);
  clearInterval(timer);
  links.stop();
  await source.close(onRecord);
  flush(nowUs());
  await stream.close(shutdownTimeoutMs);
  await Promise.all([cluster.stop(), clusterStarted, conntrackFollower]);
  health.close();
  health.closeAllConnections();
  log.info({ accounting: accounting.snapshot() }, 'agent stopped');
}

function logGap(log: Logger, unrecorded: UnrecordedTraffic, gap: ReturnType<UnrecordedTraffic['refresh']>): void {
  if (gap === 'began') {
    const { interfaces } = unrecorded.wire().gaps.at(-1)!;
    const reasons = new Set(interfaces.flatMap(({ unrecorded: sums }) => sums.map(({ reason }) => reason)));
    log.warn({ interface: interfaces[0]!.name, reasons: [...reasons] }, 'not every connection is recorded');
  }
  if (gap === 'ended') log.info('every connection is recorded again');
}

/** Receivers of what a source reports besides records. */
type CaptureSinks = { translations: Translations; dnsAnswers: DnsAnswers | undefined; unrecorded: UnrecordedTraffic };

function openSource(
  config: AgentConfig,
  clock: SteadyClock,
  accounting: PacketAccounting,
  { translations, dnsAnswers, unrecorded }: CaptureSinks,
  log: Logger,
): { source: CaptureSource; reason: string } {
  const { bufferBytes, maxConnections, reportEvery } = config.capture;
  const options = {
    bufferBytes,
    maxConnections,
    reportEveryUs: reportEvery * 1000,
    nowUs: clock.nowUs,
    fromWallUs: (wallUs: number) => clock.fromWallUs(wallUs),
    seed: randomInt(2 ** 32),
    unrecorded,
  };
  const eventHandlers = {
    translation: (protocol: number, translation: Translation) => translations.learn(protocol, translation),
    dns: dnsAnswers && ((event: DnsEvent) => dnsAnswers.receive(event)),
  };
  return chooseSource<CaptureSource>(
    config.capture.source,
    (name) => {
      if (name === 'pcap') return new PcapSource(options, accounting, dnsAnswers);
      const program = loadProgram(name, maxConnections);
      const { conntrack } = program;
      if (name === 'ebpf' && !conntrack.available) {
        log.info({ reason: conntrack.reason }, 'eBPF program cannot look up conntrack');
      }
      return new KernelSource(name, program, options, accounting, eventHandlers, log);
    },
    sourceRefused,
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
