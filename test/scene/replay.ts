// Runs `waybill replay` like a user: a capture of web, db and the internet, and manifests that isolate db.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { dnsAnswer, dnsQuery } from '../../lab/programs/dns-message.ts';
import { type Captured, pcapFile } from './captures.ts';
import { folderFor } from './file-read.ts';
import { type Body, ethernet, ip4, tcp, udp } from './packets.ts';
import { ingressPolicy, shop } from './pipeline.ts';
import { db, second, t0, web } from './records.ts';

const waybill = new URL('../../cli/waybill.ts', import.meta.url).pathname;
export const internet = '203.0.113.7';

export type Ran = { code: number; out: string; err: string[] };

export function run(...args: string[]): Promise<Ran> {
  return runWithInput('', ...args);
}

export async function runWithInput(input: Buffer | string, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [waybill, 'replay', ...args], {
    env: { PATH: process.env.PATH },
    stdio: 'pipe',
  });
  child.stdin.on('error', () => undefined); // it may end before it reads everything
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, out, err: err.split('\n').slice(0, -1) };
}

function conversation(
  from: string,
  to: string,
  atUs: number,
  ...bodies: [from: 'initiator' | 'responder', body: Body][]
) {
  return bodies.map(([who, body], i): Captured => {
    const ends = who === 'initiator' ? ([from, to] as const) : ([to, from] as const);
    return { frame: ethernet(ip4(...ends, body)), timeUs: atUs + i * 1000 };
  });
}

/** web to db, denied and delivered: a bypass. */
export function bypass(fromPort = 40_000): Captured[] {
  return conversation(
    web,
    db,
    t0,
    ['initiator', tcp(fromPort, 5432, 'S')],
    ['responder', tcp(5432, fromPort, 'SA', { acknowledged: 1001 })],
    ['initiator', tcp(fromPort, 5432, 'A')],
  );
}

/** db to the internet, which no policy covers. */
export function undeclared(): Captured[] {
  return conversation(
    db,
    internet,
    t0 + second,
    ['initiator', udp(50_000, 443, 100)],
    ['responder', udp(443, 50_000, 100)],
  );
}

/** db asks an external name server for `name`, and connects to the address in the answer. */
export function named(name: string): Captured[] {
  const server = '198.51.100.53';
  const answer = dnsAnswer(dnsQuery(name, 7), { [name]: [internet] })!;
  const lookup = conversation(
    db,
    server,
    t0,
    ['initiator', udp(50_001, 53, dnsQuery(name, 7))],
    ['responder', udp(53, 50_001, answer)],
  );
  return [...lookup, ...undeclared()];
}

export const all = [...bypass(), ...undeclared()];

/** Writes the capture, and `manifests.yaml` that isolates db; returns the arguments of `waybill replay`. */
export function replayScene(t: Test, capture: Buffer = pcapFile(all)) {
  const folder = folderFor(t);
  const file = (name: string, bytes: Buffer | string) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const cluster = ['--cluster', file('manifests.yaml', `${shop}---${ingressPolicy('db', '')}`)];
  const some = file('some.pcap', capture);
  return { file, cluster, some, args: [some, ...cluster] };
}
