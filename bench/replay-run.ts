// One measured run over a capture file, as a process of its own (bench/replay.ts): `node replay-run.ts RUN FILE` prints
// the number of packets. `walk`: only steps from packet to packet. `read`: the reader of `waybill replay` alone.
// `records`: `waybill replay` from the file to connection records.
import { closeSync, openSync, readSync } from 'node:fs';
import { useCompileCache } from '../cli/compile-cache.ts';

useCompileCache();
const { readCaptureFile } = await import('../agent/capture/pcap/capture-file.ts');
const { DnsClients } = await import('../agent/capture/pcap/dns-clients.ts');
const { replayFiles } = await import('../agent/capture/pcap/replay.ts');
const { PacketAccounting } = await import('../accounting/accounting.ts');

const chunkBytes = 4 * 1024 * 1024;

const runs: Record<string, (path: string) => number | Promise<number>> = { walk, read, records };

/** Reads the length of each packet or block, unchecked, and nothing else: the minimum of any reader. */
function walk(path: string): number {
  const file = openSync(path, 'r');
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let held = readSync(file, chunk);
  const isPcap = chunk.readUInt32LE(0) === 0xa1b2c3d4;
  const [lengthAt, around] = isPcap ? [8, 16] : [4, 0];
  let packets = isPcap ? 0 : -2; // blocks of the section and of its interface
  let at = isPcap ? 24 : 0;
  while (held > 0) {
    while (at + 16 <= held) {
      at += chunk.readUInt32LE(at + lengthAt) + around;
      packets += 1;
    }
    // Keeps the incomplete record at the end of the chunk; a record beyond it is skipped in the next chunk.
    const rest = Math.max(0, held - at);
    chunk.copyWithin(0, held - rest, held);
    at = Math.max(0, at - held);
    const got = readSync(file, chunk, rest, chunkBytes - rest, null);
    held = got === 0 ? 0 : rest + got;
  }
  closeSync(file);
  return packets;
}

async function read(path: string): Promise<number> {
  let packets = 0;
  await readCaptureFile(path, () => {
    packets += 1;
  });
  return packets;
}

async function records(path: string): Promise<number> {
  let packets = 0;
  await replayFiles([path], new PacketAccounting(), {
    maxConnections: 1_000_000,
    dnsSink: { receive: () => undefined },
    clients: new DnsClients(1_000),
    onProgress: () => undefined,
    onRecords: (records) => {
      for (const record of records) packets += record.packets.forward + record.packets.reverse;
    },
  });
  return packets;
}

const [run = '', path = ''] = process.argv.slice(2);
process.stdout.write(`${await runs[run]!(path)}\n`);
