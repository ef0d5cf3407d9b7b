// Writes a capture file for one test, and reads it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptureFileResult, readCaptureFile } from '../../agent/capture/pcap/capture-file.ts';
import { problemLine } from '../../model/problem.ts';

export type ReadPacket = { frame: Buffer; length: number; linkType: number; source: number; timeUs: number };
export type ReadFile = { packets: ReadPacket[]; read: CaptureFileResult; lines: string[] };

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
  const read = await readCaptureFile(path, (bytes, start, end, length, linkType, source, timeUs) =>
    packets.push({ frame: Buffer.from(bytes.subarray(start, end)), length, linkType, source, timeUs }),
  );
  return { packets, read, lines: read.problems.map((one) => problemLine(one).replaceAll(path, 'FILE')) };
}
