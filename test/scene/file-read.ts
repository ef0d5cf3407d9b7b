// Writes a capture file for one test, and reads it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptureFileResult, readCaptureFile } from '../../agent/capture/pcap/capture-file.ts';
import type { OnPacket } from '../../agent/capture/pcap/format.ts';
import { problemLine } from '../../model/problem.ts';

export type ReadPacket = { frame: Buffer; length: number; linkType: number; source: number; timeUs: number };
/** `doubtful`: how many of the packets, the last ones. */
export type ReadFile = { packets: ReadPacket[]; doubtful: number; read: CaptureFileResult; lines: string[] };

/** A folder for the files of a test; `t.teardown` removes it. */
export function folderFor(t: { teardown(run: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** `lines` are the problems, with `FILE` instead of the path. */
export async function readBytes(t: { teardown(run: () => void): void }, bytes: Buffer): Promise<ReadFile> {
  const path = join(folderFor(t), 'some.pcap');
  writeFileSync(path, bytes);
  return readPath(path);
}

export async function readPath(path: string): Promise<ReadFile> {
  const packets: ReadPacket[] = [];
  let doubtful = 0;
  const onPacket: OnPacket = (bytes, start, end, length, linkType, source, timeUs) => {
    packets.push({ frame: Buffer.from(bytes.subarray(start, end)), length, linkType, source, timeUs });
  };
  const read = await readCaptureFile(path, onPacket, undefined, (...packet) => {
    doubtful += 1;
    onPacket(...packet);
  });
  return { packets, doubtful, read, lines: read.problems.map((one) => problemLine(one).replaceAll(path, 'FILE')) };
}
