// A collector's ingest over real TLS on loopback, with a store that the test controls, and agents that send what it wants.
import { pino } from 'pino';
import type { Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials, type TlsCredentials } from '../../certs/read.ts';
import { ClusterHistory } from '../../collector/identity/cluster-history.ts';
import { Agents } from '../../collector/ingest/agents.ts';
import {
  type IngestedBatch,
  type IngestOptions,
  type IngestServer,
  serveIngest,
} from '../../collector/ingest/ingest.ts';
import { NodeClaims } from '../../collector/ingest/node-claims.ts';
import { RawAgent } from './raw-agent.ts';
import { t0 } from './records.ts';

export type IngestScene = IngestServer & {
  agents: Agents;
  /** Batches that the store was asked to write, in that order. */
  asked: IngestedBatch[];
  processed: IngestedBatch[];
  log: Record<string, unknown>[];
  tls(name: string): TlsCredentials;
  agent(node: string, instance?: string): RawAgent;
};

export type SceneOptions = Partial<IngestOptions> & {
  /** Default: everything is stored at once. */
  store?: (batch: IngestedBatch) => Promise<boolean | { refused: string }>;
};

export async function ingestScene(t: Test, { store, ...options }: SceneOptions = {}): Promise<IngestScene> {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1', 'n2', 'n3'], servers: ['localhost'], days: 1, overwrite: false });
  const tls = (name: string) =>
    readTlsCredentials({ ca: `${folder}/ca.crt`, cert: `${folder}/${name}.crt`, key: `${folder}/${name}.key` });
  const agents = new Agents(new NodeClaims(new ClusterHistory()));
  const asked: IngestedBatch[] = [];
  const processed: IngestedBatch[] = [];
  const log: Record<string, unknown>[] = [];
  const server = await serveIngest(
    {
      listen: 'localhost:0',
      tls: tls('collector'),
      maxBatchRecords: 50_000,
      maxAgents: 10,
      maxAgentRate: 1_000_000,
      nowUs: () => t0,
      ...options,
    },
    agents,
    {
      store: (batch) => {
        asked.push(batch);
        return store?.(batch) ?? Promise.resolve(true);
      },
      process: (batch) => processed.push(batch),
    },
    pino({ level: 'warn' }, { write: (line: string) => void log.push(JSON.parse(line)) }),
  );
  t.teardown(() => server.stop());
  return {
    ...server,
    agents,
    asked,
    processed,
    log,
    tls,
    agent: (node, instance) => new RawAgent(t, server.port, tls(`agent-${node}`), node, instance),
  };
}
