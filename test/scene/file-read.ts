// A capture file written for one test, and what reading it gives.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptureFileResult, readCaptureFile } from '../../agent/capture/pcap/capture-file.ts';
import { problemLine } from '../../model/problem.ts';

export type ReadPacket = { frame: Buffer; length: number; linkType: number; source: number; timeUs: number };
export type ReadFile = { packets: ReadPacket[]; read: CaptureFileResult; lines: string[] };

/** Where a test puts files; removed with `t.teardown`. */
export function folderFor(t: { teardown(run: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Each problem line has `FILE` for the path. */
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
