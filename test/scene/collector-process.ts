// A collector as a child process on loopback, with certificates, manifests and a store of its own.
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials, type TlsCredentials } from '../../certs/read.ts';
import { CollectorClient } from '../../cli/collector-client.ts';
import { Program } from './programs.ts';

export type CollectorScene = {
  ingestPort: number;
  apiPort: number;
  folder: string;
  program: Program;
  tls(name: string): TlsCredentials;
  /** The API's answer for `findings`, `flows` or `status`. */
  ask<Answer = unknown>(of: string): Promise<Answer>;
  writeManifests(manifests: string): void;
  /** The same collector again, with its store. */
  restart(): Promise<CollectorScene>;
};

export async function collectorScene(
  t: Test,
  manifests: string,
  settings: Record<string, string> = {},
): Promise<CollectorScene> {
  const folder = t.testdir();
  const nodes = ['n1', 'n2', 'n3'];
  await makeCertificates({ folder, nodes, servers: ['localhost', '127.0.0.1'], days: 1, overwrite: false });
  mkdirSync(`${folder}/manifests`);
  writeFileSync(`${folder}/manifests/all.yaml`, manifests);
  return start(t, folder, settings);
}

async function start(t: Test, folder: string, settings: Record<string, string>): Promise<CollectorScene> {
  const all: Record<string, string> = {
    'tls-ca': `${folder}/ca.crt`,
    'tls-cert': `${folder}/collector.crt`,
    'tls-key': `${folder}/collector.key`,
    'cluster-manifests': `${folder}/manifests`,
    'store-path': `${folder}/waybill.duckdb`,
    'ingest-listen': '127.0.0.1:0',
    'api-listen': '127.0.0.1:0',
    'health-listen': '127.0.0.1:0',
    ...settings,
  };
  const flags = Object.entries(all).flatMap(([flag, value]) => [`--${flag}`, value]);
  const program = await Program.start(t, 'collector', flags, {});
  const { ingest, api } = program.lines('collector listening')[0] as unknown as { ingest: number; api: number };
  const client = new CollectorClient({
    collector: `https://127.0.0.1:${api}`,
    ca: `${folder}/ca.crt`,
    cert: `${folder}/client.crt`,
    key: `${folder}/client.key`,
  });
  return {
    ingestPort: ingest,
    apiPort: api,
    folder,
    program,
    tls: (name) =>
      readTlsCredentials({ ca: `${folder}/ca.crt`, cert: `${folder}/${name}.crt`, key: `${folder}/${name}.key` }),
    ask: async <Answer>(of: string) => (await client.get(`/v1/${of}`, new URLSearchParams())).value as Answer,
    writeManifests: (text) => writeFileSync(`${folder}/manifests/all.yaml`, text),
    async restart() {
      await program.end();
      return start(t, folder, settings);
    },
  };
}
