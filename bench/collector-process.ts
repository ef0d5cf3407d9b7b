// A real collector on a processor of its own, in a folder with certificates and manifests.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { CollectorClient } from '../cli/collector-client.ts';

export type RunningCollector = {
  pid: number;
  ingest: number;
  client: CollectorClient;
  hasExited(): boolean;
  end(): Promise<void>;
};

/** `folder` has the certificates; `clusterManifest` is written there. */
export async function startCollector(folder: string, clusterManifest: string): Promise<RunningCollector> {
  const file = (name: string) => join(folder, name);
  writeFileSync(file('cluster.json'), clusterManifest);
  const anyPort = { listen: '127.0.0.1:0' };
  const config = {
    cluster: { manifests: file('cluster.json') },
    ingest: anyPort,
    api: anyPort,
    health: anyPort,
    tls: { ca: file('ca.crt'), cert: file('collector.crt'), key: file('collector.key') },
    store: { path: file('store/waybill.duckdb') },
  };
  writeFileSync(file('collector.yaml'), stringify(config));
  const core = String(availableParallelism() - 1);
  const waybill = new URL('../cli/waybill.ts', import.meta.url).pathname;
  const args = ['-c', core, process.execPath, waybill, 'collector', '--config', file('collector.yaml')];
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ports = await portsOf(child.stdout);
  const [ca, cert, key] = [file('ca.crt'), file('client.crt'), file('client.key')];
  return {
    pid: child.pid!,
    ingest: ports.ingest,
    client: new CollectorClient({ collector: `https://localhost:${ports.api}`, ca, cert, key }),
    hasExited: () => child.exitCode !== null || child.signalCode !== null,
    end() {
      child.kill();
      return exited;
    },
  };
}

/** Reads the log up to the line with the ports; the rest is read and ignored. */
function portsOf(log: Readable): Promise<{ ingest: number; api: number }> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: log });
    lines.on('line', (line) => {
      if (line.includes('collector listening')) resolve(JSON.parse(line) as { ingest: number; api: number });
    });
    lines.once('close', () => reject(new Error('the collector did not start')));
  });
}
