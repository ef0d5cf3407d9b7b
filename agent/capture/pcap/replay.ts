// A capture file as connection records, in the order of its time: what `waybill replay` reads.
import type { Books } from '../../../books/books.ts';
import type { Problem } from '../../../model/problem.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { Fragments } from '../decode/fragments.ts';
import { decodeFrame } from '../decode/frame.ts';
import { Packet } from '../decode/packet.ts';
import { unknownLinkType } from '../errors.ts';
import { FlowTable, fileLink } from '../flows/flow-table.ts';
import type { NameSink } from '../source.ts';
import { readCaptureFile } from './file.ts';

export type ReplayOptions = {
  maxConnections: number;
  /** What DNS servers told whoever asked them; always before the records of the same time. */
  names: NameSink;
  onProgress(bytes: number): void;
  /** Records up to a time of the file; called every so often, and once at its end. */
  onRecords(records: ConnectionRecord[], untilUs: number): void;
};

/** Of the file's time. */
const drainEveryUs = 5_000_000;

/** Every packet of the file is in the books; a packet of a tunnel stands for what it carries. */
export async function replayFile(path: string, books: Books, options: ReplayOptions): Promise<Problem[]> {
  const table = new FlowTable(
    { maxConnections: options.maxConnections, reportEveryUs: Number.POSITIVE_INFINITY },
    books,
  );
  const fragments = new Fragments();
  const packet = new Packet('open');
  const unknownLinkTypes = new Set<number>();
  let records: ConnectionRecord[] = [];
  let drainedUs = Number.NaN;
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
    (bytes, start, end, length, linkType, source, timeUs) => {
      books.seen(1);
      if (timeUs > latestUs) latestUs = timeUs;
      if (timeUs - drainedUs > drainEveryUs) drain(timeUs);
      else if (Number.isNaN(drainedUs)) {
        drainedUs = timeUs;
        table.watch(fileLink, timeUs, 'before');
      }
      const decoded = decodeFrame(linkType, bytes, start, end, length, fragments, packet);
      switch (decoded) {
        case 'packet':
          if (packet.answerAt !== 0) {
            options.names.take(packet.protocol, bytes.subarray(packet.answerAt, packet.answerEnd), timeUs);
          }
          table.add(packet, packet.interfaceIndex === 0 ? source : packet.interfaceIndex, 'elsewhere', timeUs);
          return;
        case 'not-ip':
        case 'carrier':
          books.setAside(decoded, 1);
          return;
        case 'unknown-link-type':
          unknownLinkTypes.add(linkType);
          books.lost(decoded, 1);
          return;
        default:
          books.lost(decoded, 1);
      }
    },
    options.onProgress,
  );
  table.finish((record) => records.push(record));
  options.onRecords(records, latestUs);
  return [...read.problems, ...[...unknownLinkTypes].map((linkType) => unknownLinkType(path, linkType))];
}
