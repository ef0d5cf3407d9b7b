// A collector's API over real TLS on loopback, with findings and connections in memory.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { pino } from 'pino';
import type { Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials, type TlsCredentials } from '../../certs/read.ts';
import type { AnswerLimits } from '../../collector/api/answers.ts';
import type { ApiDataSource, Change, Status } from '../../collector/api/api.ts';
import type { FollowLimits } from '../../collector/api/follow.ts';
import { serveApi } from '../../collector/api/server.ts';
import { connectionMatches, findingMatches } from '../../collector/store/matches.ts';
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';

export type ApiScene = {
  url: string;
  healthUrl: string;
  /** Certificates as `waybill certs` makes them. */
  folder: string;
  tls: (name: string) => TlsCredentials;
  change(change: Change): void;
  listeners(): number;
  /** Called after the stored findings are read, before they are returned. */
  whileReading: () => void;
  ready(now: boolean): void;
  get(path: string, tls?: Partial<TlsCredentials>): Promise<{ status: number; more: boolean; body: unknown }>;
  open(path: string, headers?: Record<string, string>): Promise<IncomingMessage>;
  close(): Promise<void>;
};

export const status: Status = {
  version: '0.1.0',
  started: '2026-01-01T00:00:00.000Z',
  cluster: { synced: true, stale: [], problems: [], problemTimes: [] },
  nodes: {
    reporting: 1,
    of: 2,
    list: [
      {
        node: 'n1',
        agent: 'reporting',
        lagMs: 40,
        clockOffsetMs: 3,
        source: 'pcap',
        sourceReason: 'set so',
        interfaces: 3,
        notWatched: ['veth9'],
        recordsReceived: 100,
        books: { seen: 1000, stored: 990, setAside: {}, lost: { corrupt: 10 } },
      },
      { node: 'n2', agent: 'missing' },
    ],
  },
  ingest: { streamsRefused: 0 },
  join: { live: 5, pending: 2, evicted: 0, doubtful: 0, dropped: 0, notOurs: 0 },
  verdicts: { allowed: 4, 'unknown: the address had no owner at that time': 1 },
  namespaces: { shop: { connections: 5, unknown: 1 }, blog: { connections: 2, unknown: 0 } },
  store: {
    batches: 1,
    records: 100,
    packets: 1000,
    connections: 5,
    findings: 1,
    bytesOnDisk: 2 ** 20,
    waiting: 0,
    lost: 0,
    unreadable: 0,
  },
  series: null,
};

export async function apiScene(
  t: Test,
  stored: { findings?: readonly Finding[]; connections?: readonly Connection[] },
  follow?: FollowLimits,
  answerLimits?: AnswerLimits,
): Promise<ApiScene> {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
  const tls = (name: string): TlsCredentials => {
    return readTlsCredentials({ ca: `${folder}/ca.crt`, cert: `${folder}/${name}.crt`, key: `${folder}/${name}.key` });
  };
  const listeners = new Set<(change: Change) => void>();
  let ready = true;
  const answers: ApiDataSource = {
    findings: async (query) => {
      const found = (stored.findings ?? []).filter((one) => findingMatches(query, one)).slice(0, query.last);
      scene.whileReading();
      return found;
    },
    connections: async (query) => {
      return (stored.connections ?? []).filter((one) => connectionMatches(query, one)).slice(0, query.last);
    },
    status: async () => status,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const api = await serveApi(
    {
      listen: 'localhost:0',
      healthListen: '127.0.0.1:0',
      tls: tls('collector'),
      clients: ['waybill://client', 'dashboard.example'],
      ...(follow === undefined ? {} : { follow }),
      ...(answerLimits === undefined ? {} : { answers: answerLimits }),
    },
    answers,
    () => ({ ready, reason: ready ? 'ready' : "waiting for the cluster's objects" }),
    pino({ level: 'silent' }),
  );
  const url = `https://localhost:${api.port}`;
  const open = (path: string, credentials: Partial<TlsCredentials>, headers: Record<string, string> = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request(`${url}${path}`, { ...credentials, agent: false, headers }, resolve)
        .on('error', reject)
        .end();
    });
  const scene: ApiScene = {
    url,
    healthUrl: `http://127.0.0.1:${api.healthPort}`,
    folder,
    tls,
    change: (change) => {
      for (const listener of listeners) listener(change);
    },
    listeners: () => listeners.size,
    whileReading: () => undefined,
    ready: (now) => {
      ready = now;
    },
    get: async (path, credentials = tls('client')) => {
      const response = await open(path, credentials);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString());
      return { status: response.statusCode ?? 0, more: response.headers['waybill-more'] === 'true', body };
    },
    open: (path, headers) => open(path, tls('client'), headers),
    close: () => api.close(),
  };
  t.teardown(() => scene.close());
  return scene;
}

export function caOnly(folder: string): Partial<TlsCredentials> {
  return { ca: readFileSync(`${folder}/ca.crt`) };
}
