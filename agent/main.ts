// The agent: links -> capture -> records -> translation -> batches -> the collector's stream. The whole is seen here.
import { randomInt, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Books } from '../accounting/accounting.ts';
import { heldInFiles, readTlsOfNode } from '../certs/read.ts';
import { watchEnds } from '../certs/validity.ts';
import { nowUs, systemClock } from '../cluster/clock.ts';
import { openClusterSource } from '../cluster/open.ts';
import { problemLine } from '../model/problem.ts';
import type { ConnectionRecord, Translation } from '../model/record.ts';
import { mostNames } from '../proto/names.ts';
import { chooseSource } from './capture/choose.ts';
import { loadProgram } from './capture/ebpf/program.ts';
import { KernelSource } from './capture/ebpf/source.ts';
import { sourceRefused } from './capture/errors.ts';
import { Names } from './capture/names.ts';
import { PcapSource } from './capture/pcap/live.ts';
import type { CaptureSource } from './capture/source.ts';
import { type AgentConfig, nodeName } from './config.ts';
import { BatchQueue } from './delivery/queue.ts';
import { CollectorStream } from './delivery/stream.ts';
import { serveHealth } from './health.ts';
import { ipProgram, PodLinks } from './interfaces/links.ts';
import { nodeAddresses } from './interfaces/node-addresses.ts';
import { peerAddresses } from './interfaces/peer-addresses.ts';
import { InterfaceTable } from './interfaces/table.ts';
import { LocalPods } from './pods/pods.ts';
import { followConntrack } from './records/conntrack.ts';
import { Translations } from './records/translations.ts';
import { StateTeller } from './state.ts';

/** How long the end waits for the collector to acknowledge what is left. */
const farewellMs = 3_000;

/** Runs until `signal`; rejects with a ProblemError where it cannot begin. */
export async function runAgent(config: AgentConfig, version: string, log: Logger, signal: AbortSignal): Promise<void> {
  const node = nodeName(config);
  const tls = readTlsOfNode(config.tls, node);
  watchEnds(heldInFiles(tls, config.tls), (problem) => log.warn(problemLine(problem)), signal);
  const books = new Books();
  const translations = new Translations(config.translation.maxEntries, nowUs);
  const names = config.names.dns === 'auto' ? new Names(config.names.maxEntries) : undefined;
  const { source, reason } = openSource(config, books, { translations, names }, log);
  const table = new InterfaceTable(peerAddresses, (index) => source.visible(index));
  const pods = new LocalPods(node);
  const queue = new BatchQueue(books, config.delivery);
  const state = new StateTeller(version, {
    source: () => ({ name: source.name, reason: source.ways === '' ? reason : `${reason}; to pods by ${source.ways}` }),
    interfaces: () => table.wire(),
    notWatched: () => table.notWatched(),
    nodeAddresses,
    books: () => books.snapshot(),
  });
  const links = new PodLinks(
    ipProgram,
    {
      appeared(link, told) {
        try {
          // What came before it was watched was missed: nothing that is seen first is the first that there was.
          source.watch(told === 'first' ? link : { ...link, appearedUs: 0 });
          table.appeared(link, nowUs());
          return true;
        } catch (error) {
          const why = (error as Error).message;
          if (table.refused(link, why)) log.warn({ link: link.name, why }, 'pod interface not watched');
          return false;
        }
      },
      disappeared(index) {
        source.forget({ index, name: '', appearedUs: 0 });
        table.disappeared(index, nowUs());
      },
    },
    { ...systemClock, nowUs },
    log,
  );

  const cluster = openClusterSource(config.cluster, node);
  let synced = false;
  const health = await serveHealth(config.health.listen, () =>
    synced ? { ready: true, why: 'watching' } : { ready: false, why: "this node's pods are not known yet" },
  );
  await links.start();
  const stream = new CollectorStream(
    {
      node,
      instance: randomUUID(),
      address: config.collector.address,
      tls,
      nowUs,
      state: () => state.at(nowUs()),
      taken: () => names?.tellAgain(nowUs()),
    },
    queue,
    log,
  );
  const records: ConnectionRecord[] = [];
  const pack = (coveredUntilUs: number) => {
    queue.put(records, names?.drain(mostNames) ?? [], coveredUntilUs);
    records.length = 0;
  };
  const take = (record: ConnectionRecord) => {
    if (config.translation.conntrack === 'auto') translations.translate(record);
    records.push(record);
    // Of a hundred thousand that are due at once, only a batch stands in memory as objects.
    if (records.length === config.delivery.maxBatchRecords) pack(queue.coveredUntilUs);
  };
  const handOver = (coveredUntilUs: number) => {
    records.push(...translations.late(nowUs()));
    pack(coveredUntilUs || queue.coveredUntilUs);
    stream.flush();
  };
  const bind = () => {
    table.refresh(nowUs());
    if (pods.bind(table.present(), nowUs())) table.learnPods((index) => pods.podAt(index));
  };
  const drain = () => {
    bind();
    handOver(source.drain(nowUs(), take));
  };
  const timer = setInterval(drain, config.capture.drainEvery);
  log.info({ node, collector: config.collector.address, source: source.name, reason }, 'agent watches');

  // Also where the program asks: of a connection that is a single packet, conntrack's entry comes behind the program.
  const following =
    config.translation.conntrack === 'auto' ? followConntrack(translations, signal, log) : Promise.resolve();
  const started = cluster
    .start((event) => {
      if (event.type === 'problem') log.warn(problemLine(event.problem));
      pods.receive(event);
      if (event.type !== 'synced') return;
      // Before the agent says that it is ready: a pod that dies now has been seen with its interface.
      bind();
      synced = true;
    })
    .catch((error: unknown) => {
      log.error({ why: error instanceof Error ? error.message : String(error) }, "this node's pods are not known");
    });

  await aborted(signal);
  clearInterval(timer);
  links.stop();
  await source.close(take);
  handOver(nowUs());
  await stream.close(farewellMs);
  await Promise.all([cluster.stop(), started, following]);
  health.close();
  health.closeAllConnections();
  log.info({ books: books.snapshot() }, 'agent ended');
}

/** What a source learns beside records. */
type Beside = { translations: Translations; names: Names | undefined };

function openSource(
  config: AgentConfig,
  books: Books,
  { translations, names }: Beside,
  log: Logger,
): { source: CaptureSource; reason: string } {
  const { bufferBytes, maxConnections, reportEvery } = config.capture;
  const options = { bufferBytes, maxConnections, reportEveryUs: reportEvery * 1000, nowUs, seed: randomInt(2 ** 32) };
  const beside = {
    translation: (protocol: number, translation: Translation) => translations.learn(protocol, translation),
    dns: (protocol: number, bytes: Uint8Array, timeUs: number) => names?.take(protocol, bytes, timeUs),
  };
  return chooseSource<CaptureSource>(
    config.capture.source,
    (name) => {
      if (name === 'pcap') return new PcapSource(options, books, names);
      const program = loadProgram(name, maxConnections);
      const { conntrack } = program;
      if (name === 'ebpf' && !conntrack.asked) log.info({ why: conntrack.why }, 'the program cannot ask conntrack');
      return new KernelSource(name, program, options, books, beside, log);
    },
    sourceRefused,
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
