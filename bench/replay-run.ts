// One measured run over a capture file, as a program of its own (bench/replay.ts): `node replay-run.ts WHAT FILE` prints
// the packets that it counted. `walk`: only steps from packet to packet. `read`: what `waybill replay` reads, nothing done
// with it. `records`: what it does from the file to connection records.
import { closeSync, openSync, readSync } from 'node:fs';
import { useCompileCache } from '../cli/compile-cache.ts';

useCompileCache();
const { readCaptureFile } = await import('../agent/capture/pcap/capture-file.ts');
const { replayFile } = await import('../agent/capture/pcap/replay.ts');
const { PacketAccounting } = await import('../accounting/accounting.ts');

const pieceBytes = 4 * 1024 * 1024;

const runs: Record<string, (path: string) => number | Promise<number>> = { walk, read, records };

/** Reads the length of each packet or block, believes it, and touches nothing else: no reader does less. */
function walk(path: string): number {
  const file = openSync(path, 'r');
  const piece = Buffer.allocUnsafe(pieceBytes);
  let held = readSync(file, piece);
  const isPcap = piece.readUInt32LE(0) === 0xa1b2c3d4;
  const [lengthAt, around] = isPcap ? [8, 16] : [4, 0];
  let packets = isPcap ? 0 : -2; // blocks of the section and of its interface
  let at = isPcap ? 24 : 0;
  while (held > 0) {
    while (at + 16 <= held) {
      at += piece.readUInt32LE(at + lengthAt) + around;
      packets += 1;
    }
    // What hangs over the piece is read again, or its header is.
    const rest = Math.max(0, held - at);
    piece.copyWithin(0, held - rest, held);
    at = Math.max(0, at - held);
    const got = readSync(file, piece, rest, pieceBytes - rest, null);
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
  await replayFile(path, new PacketAccounting(), {
    maxConnections: 1_000_000,
    dnsSink: { receive: () => undefined },
    onProgress: () => undefined,
    onRecords: (records) => {
      for (const record of records) packets += record.packets.forward + record.packets.reverse;
    },
  });
  return packets;
}

const [what = '', path = ''] = process.argv.slice(2);
process.stdout.write(`${await runs[what]!(path)}\n`);
