// A capture file as connection records, in the order of its time: what `waybill replay` reads.
import type { Books } from '../../../books/books.ts';
import type { Problem } from '../../../model/problem.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { FlowTable, fileLink } from '../../records/flow-table.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame, isKnownLinkType } from '../decode/frame.ts';
import { Packet } from '../decode/packet.ts';
import { unknownLinkType } from '../errors.ts';
import { readCaptureFile } from './file.ts';

export type ReplayOptions = {
  maxConnections: number;
  onProgress(bytes: number): void;
  /** Records up to a time of the file; called every so often, and once at its end. */
  onRecords(records: ConnectionRecord[], untilUs: number): void;
};

/** Of the file's time. */
const drainEveryUs = 5_000_000;

export async function replayFile(path: string, books: Books, options: ReplayOptions): Promise<Problem[]> {
  const table = new FlowTable(
    { maxConnections: options.maxConnections, reportEveryUs: Number.POSITIVE_INFINITY },
    books,
  );
  const fragments = new Fragments();
  const packet = new Packet();
  const unknown = new Set<number>();
  let records: ConnectionRecord[] = [];
  let drainedUs = 0;
  let latestUs = 0;
  const drain = (untilUs: number) => {
    table.drain(untilUs, (record) => records.push(record));
    options.onRecords(records, untilUs);
    records = [];
    drainedUs = untilUs;
  };
  // hot, once a packet
  const read = await readCaptureFile(
    path,
    (bytes, start, end, length, linkType, timeUs) => {
      books.seen(1);
      if (timeUs > latestUs) latestUs = timeUs;
      if (drainedUs === 0) {
        drainedUs = timeUs;
        table.watch(fileLink, timeUs, 'before');
      }
      const decoded = decodeFrame(linkType, bytes, start, end, length, fragments, packet);
      if (decoded === 'packet') table.add(packet, fileLink, 'elsewhere', timeUs);
      else if (decoded === 'not-ip' || decoded === 'carrier') books.setAside(decoded, 1);
      else books.lost(decoded, 1);
      if (!isKnownLinkType(linkType)) unknown.add(linkType);
      if (timeUs - drainedUs > drainEveryUs) drain(timeUs);
    },
    options.onProgress,
  );
  table.finish((record) => records.push(record));
  options.onRecords(records, latestUs);
  return [...read.problems, ...[...unknown].map((linkType) => unknownLinkType(path, linkType))];
}
