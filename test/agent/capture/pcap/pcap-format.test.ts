import t from 'tap';
import { type Order, pcapFile, pcapRecord } from '../../../scene/captures.ts';
import { readBytes } from '../../../scene/file-read.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { ethernet, ip4, join, tcp } from '../../../scene/packets.ts';
import { second, t0 } from '../../../scene/records.ts';

/** `count` packets with different source ports. */
function packets(count: number) {
  return Array.from({ length: count }, (_, i) => ({
    frame: ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(40_000 + i, 80, 'A', { payload: 20 + i }))),
    timeUs: t0 + i * second + 123_456,
  }));
}

const recordBytes = 16;

t.test('both byte orders, with micro- and nanoseconds, give the same packets', async (t) => {
  const written = packets(3);
  for (const order of ['little', 'big'] satisfies Order[]) {
    for (const unit of ['us', 'ns'] as const) {
      const file = pcapFile(written, { order, unit, linkType: 113 });
      const { packets, read } = await readBytes(t, file);
      const expected = written.map(({ frame, timeUs }) => ({
        frame,
        timeUs,
        length: frame.length,
        linkType: 113,
        source: 0,
      }));
      t.same(packets, expected, `${order} ${unit}`);
      t.same(read, { packets: 3, bytes: file.length, problems: [] });
    }
  }
});

t.test('a packet that was captured in part has its length on the wire', async (t) => {
  const frame = packets(1)[0]!.frame.subarray(0, 60);
  const { packets: got } = await readBytes(t, pcapFile([{ frame, length: 1514 }]));
  matchEach(t, got, [{ frame, length: 1514 }]);
});

t.test('the upper bits of the link type are ignored, because they are about a check sequence', async (t) => {
  const { packets: got } = await readBytes(t, pcapFile(packets(1), { linkType: 0xf000_0001 }));
  t.equal(got[0]!.linkType, 1);
});

t.test('a file without packets is valid', async (t) => {
  const { read } = await readBytes(t, pcapFile([]));
  t.same(read, { packets: 0, bytes: 24, problems: [] });
});

t.test('a file cut at any byte: the packets before the cut are read, and one line reports the cut', async (t) => {
  const written = packets(3);
  const file = pcapFile(written);
  const ends = written.map((_, i) => pcapFile(written.slice(0, i + 1)).length);
  for (let cut = 4; cut < file.length; cut++) {
    const { packets, lines } = await readBytes(t, file.subarray(0, cut));
    const before = ends.filter((end) => end <= cut).length;
    t.equal(packets.length, before, `${cut} bytes`);
    if (cut === 24 || ends.includes(cut)) t.same(lines, []);
    else {
      t.same(lines, [
        `capture-file-truncated: FILE, byte ${cut < 24 ? 0 : (ends[before - 1] ?? 24)}: the file ends within a packet; ` +
          `read ${before} ${before === 1 ? 'packet' : 'packets'} before it; stop the program that writes the file, or copy the file again`,
      ]);
    }
  }
});

t.test('a record with a wrong length: the packets before and after it are read, and one line reports it', async (t) => {
  const written = packets(40);
  const sound = pcapFile(written);
  const at = pcapFile(written.slice(0, 20)).length;
  const claimed = written[20]!.frame.length;
  for (const wrong of [0xffffffff, 5_000_000, 200_000, 2_000, claimed + 50, claimed + 1, claimed - 1, claimed - 30]) {
    const file = Buffer.from(sound);
    file.writeUInt32LE(wrong, at + 8);
    const { packets, lines } = await readBytes(t, file);
    const after = packets.slice(-19).map(({ frame }) => String(frame.readUInt16BE(34)));
    t.same(
      after,
      written.slice(21).map(({ frame }) => String(frame.readUInt16BE(34))),
      `${wrong}: all packets after it`,
    );
    t.ok(packets.length >= 39 && packets.length <= 41, `${wrong}: ${packets.length} packets`);
    t.equal(lines.length, 1, `${wrong}: ${lines}`);
    t.match(lines[0], /^capture-file-corrupt: FILE, byte \d+: /);
  }
});

t.test(
  'one implausible field is not a fault: days between packets, or the same error in each record of a file',
  async (t) => {
    const written = packets(5);
    const days = written.map((packet, i) => ({ ...packet, timeUs: t0 + i * 3 * 86_400 * second }));
    const shorter = written.map((packet) => ({ ...packet, length: 0 }));
    const nanoseconds = written.map((packet) => {
      const record = pcapRecord(packet);
      record.writeUInt32LE(123_456_789, 4);
      return record;
    });
    for (const file of [pcapFile(days), pcapFile(shorter), join(pcapFile([]), ...nanoseconds)]) {
      const { packets: got, lines } = await readBytes(t, file);
      t.equal(got.length, 5);
      t.same(lines, []);
    }
  },
);

t.test('invalid bytes between two records are skipped, and their number is reported', async (t) => {
  const [a, b] = packets(2);
  const invalid = Buffer.alloc(333, 0xab);
  const { packets: got, lines } = await readBytes(t, join(pcapFile([a!]), invalid, pcapRecord(b!)));
  t.equal(got.length, 2);
  t.same(lines, [
    `capture-file-corrupt: FILE, byte ${pcapFile([a!]).length}: a packet claims 2880154539 bytes; skipped 333 bytes, ` +
      'read 1 packet before them; copy the file again, or capture again',
  ]);
});

t.test('invalid bytes at the end of a file are reported once', async (t) => {
  const { packets: got, lines } = await readBytes(t, join(pcapFile(packets(2)), Buffer.alloc(100, 0xff)));
  t.equal(got.length, 2);
  t.equal(lines.length, 1);
  t.match(lines[0], /^capture-file-corrupt: .*; skipped 100 bytes, read 2 packets before them/);
});

t.test('ten faults are reported one by one, and the others in one line', async (t) => {
  const parts = packets(15).flatMap((packet) => [pcapRecord(packet), Buffer.alloc(50, 0xff)]);
  const { packets: got, lines } = await readBytes(t, join(pcapFile([]), ...parts));
  t.equal(got.length, 15);
  t.equal(lines.length, 11);
  t.match(lines[10], /^capture-file-corrupt: FILE: 5 more faults of this kind; /);
});

t.test('a file larger than a chunk is read in chunks, also across a fault and with large packets', async (t) => {
  const large = { frame: Buffer.alloc(250_000, 1), timeUs: t0 };
  const records = Buffer.concat(Array.from({ length: 20 }, () => pcapRecord(large)));
  const { packets: got, lines } = await readBytes(t, join(pcapFile([]), records, Buffer.alloc(99, 0xff), records));
  t.equal(got.length, 40);
  t.ok(got.every(({ frame }) => frame.equals(large.frame)));
  t.equal(lines.length, 1);
  t.match(lines[0], new RegExp(`byte ${24 + 20 * (250_000 + recordBytes)}: .*; skipped 99 bytes, read 20 packets`));
});
