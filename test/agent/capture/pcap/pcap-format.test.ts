import t from 'tap';
import { type Captured, type Order, pcapFile, pcapRecord } from '../../../scene/captures.ts';
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
      t.same(read, { packets: 3, dropped: 0, bytes: file.length, problems: [] });
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
  t.same(read, { packets: 0, dropped: 0, bytes: 24, problems: [] });
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

const day = 86_400 * second;

/** The first half of the packets, and the others days later. */
function withGap(count: number): Captured[] {
  return packets(count).map((packet, i) => ({ ...packet, timeUs: packet.timeUs + (i < count / 2 ? 0 : 3 * day) }));
}

/** A file under the magic of microseconds whose records have nanoseconds. */
function nanosecondsIn(
  written: readonly Captured[],
  change: (packet: Captured) => Captured = (packet) => packet,
): Buffer {
  return join(pcapFile([]), ...written.map((packet) => pcapRecord(change(packet), { unit: 'ns' })));
}

t.test(
  'nanoseconds under the magic of microseconds are believed if every record has them, also after days',
  async (t) => {
    for (const count of [1, 2, 5, 40]) {
      const written = withGap(count);
      const { packets: got, lines } = await readBytes(t, nanosecondsIn(written));
      t.same(lines, [], `${count} packets`);
      t.same(
        got.map(({ timeUs }) => timeUs),
        written.map(({ timeUs }) => timeUs),
        'the times are right',
      );
    }
  },
);

t.test('some of them are so small that they look like microseconds', async (t) => {
  const written = packets(20).map((packet, i) => ({
    ...packet,
    timeUs: t0 + i * second + (i % 3 === 0 ? 5 : 400_000),
  }));
  const { packets: got, lines } = await readBytes(t, nanosecondsIn(written));
  t.same(lines, []);
  t.same(
    got.map(({ timeUs }) => timeUs),
    written.map(({ timeUs }) => timeUs),
  );
});

t.test('an original length of 0, or shorter than the frame, is believed if every record has it', async (t) => {
  for (const shorter of [(frame: Buffer) => frame.length - 4, () => 0]) {
    for (const count of [2, 5, 40]) {
      const written = withGap(count).map((packet) => ({ ...packet, length: shorter(packet.frame) }));
      const { packets: got, lines } = await readBytes(t, pcapFile(written));
      t.same(lines, []);
      t.equal(got.length, count);
    }
  }
});

t.test('several oddities that every record has are believed together', async (t) => {
  const { packets: got, lines } = await readBytes(
    t,
    nanosecondsIn(withGap(30), (packet) => ({ ...packet, length: 0 })),
  );
  t.same(lines, []);
  t.equal(got.length, 30);
});

t.test('a single odd record between days is believed if the lengths lead to the end of the file', async (t) => {
  const written = withGap(10).map((packet, i) => ({ ...packet, length: i === 4 ? 0 : packet.frame.length }));
  const odd = written.map((packet, i) => {
    const record = pcapRecord(packet);
    if (i === 5) record.writeUInt32LE(7_000_000, 4);
    return record;
  });
  const { packets: got, lines } = await readBytes(t, join(pcapFile([]), ...odd));
  t.same(lines, []);
  t.equal(got.length, 10);
});

t.test('in a file of odd records, a fault is found, and reading continues after it', async (t) => {
  const written = packets(40).map((packet) => ({ ...packet, length: 0 }));
  const half = nanosecondsIn(written.slice(0, 20));
  const file = join(half, Buffer.alloc(99, 0xff), ...written.slice(20).map((one) => pcapRecord(one, { unit: 'ns' })));
  const { packets: got, lines } = await readBytes(t, file);
  t.equal(got.length, 40);
  t.equal(lines.length, 1);
  t.match(lines[0], new RegExp(`^capture-file-corrupt: FILE, byte ${half.length}: .*; skipped 99 bytes`));
});

t.test('a part of a file that holds zeros is not a chain of records', async (t) => {
  const [a, b] = [packets(20).slice(0, 10), packets(20).slice(10)];
  const { packets: got, lines } = await readBytes(
    t,
    join(pcapFile(a), Buffer.alloc(4096), ...b.map((one) => pcapRecord(one))),
  );
  t.equal(got.filter(({ frame }) => frame.length > 0).length, 20);
  t.equal(lines.length, 1);
});

t.test('the modified format is read in both byte orders, and names interfaces', async (t) => {
  const written = packets(3);
  for (const order of ['little', 'big'] satisfies Order[]) {
    const { packets: got, lines } = await readBytes(
      t,
      pcapFile(written, { order, unit: 'modified', interfaceIndex: 4 }),
    );
    t.same(lines, []);
    t.same(
      got.map(({ frame, source, timeUs }) => ({ frame, source, timeUs })),
      written.map(({ frame, timeUs }) => ({ frame, source: 4, timeUs })),
    );
  }
  const file = pcapFile(packets(40), { unit: 'modified' });
  const at = pcapFile(packets(20), { unit: 'modified' }).length;
  const { packets: around, lines } = await readBytes(
    t,
    join(file.subarray(0, at), Buffer.alloc(50, 0xff), file.subarray(at)),
  );
  t.equal(around.length, 40, 'also after a fault');
  t.equal(lines.length, 1);
});

t.test('the check sequence that the link type names is not part of the frame', async (t) => {
  const written = packets(2).map(({ frame, timeUs }) => ({ frame: join(frame, 4), timeUs }));
  const { packets: got } = await readBytes(t, pcapFile(written, { linkType: 0x2400_0001 }));
  t.same(
    got.map(({ frame, length, linkType }) => ({ frame, length, linkType })),
    packets(2).map(({ frame }) => ({ frame, length: frame.length, linkType: 1 })),
  );
  const cut = { frame: written[0]!.frame.subarray(0, 60), length: written[0]!.frame.length };
  const { packets: short } = await readBytes(t, pcapFile([cut], { linkType: 0x2400_0001 }));
  t.equal(short[0]!.frame.length, 60, 'it is cut off');
  t.equal(short[0]!.length, cut.length - 4);
  const { packets: reserved } = await readBytes(t, pcapFile(packets(1), { linkType: 0x0012_0001 }));
  t.equal(reserved[0]!.linkType, 1, 'reserved bits are ignored');
});

t.test(
  'several files one after the other are one file, also days apart and in other byte orders and units',
  async (t) => {
    const [a, b, c] = [packets(3), withGap(4), packets(2)];
    const file = join(
      pcapFile(a),
      pcapFile(b, { order: 'big', unit: 'ns', linkType: 113 }),
      pcapFile(c, { unit: 'modified' }),
      pcapFile([]),
    );
    const { packets: got, lines } = await readBytes(t, file);
    t.same(lines, []);
    t.same(
      got.map(({ timeUs, linkType }) => [timeUs, linkType]),
      [...a.map((one) => [one.timeUs, 1]), ...b.map((one) => [one.timeUs, 113]), ...c.map((one) => [one.timeUs, 1])],
    );
    const torn = join(pcapFile(a).subarray(0, -10), pcapFile(b));
    const { packets: after, lines: faults } = await readBytes(t, torn);
    t.equal(after.slice(-4).length, 4);
    t.same(
      after.slice(-4).map(({ timeUs }) => timeUs),
      b.map(({ timeUs }) => timeUs),
      'also after a file that was cut',
    );
    t.equal(faults.length, 1);
  },
);

t.test('a search after a fault takes time in proportion to the file, whatever lengths its bytes claim', async (t) => {
  const claims = Buffer.alloc(16);
  for (const [i, word] of [t0 / second, 0, 0x7f0000, 0x7f0000].entries()) claims.writeUInt32LE(word, i * 4);
  const began = performance.now();
  const file = join(
    pcapFile(packets(1), { snapLength: 8 * 1024 * 1024 }),
    Buffer.alloc(16, 0xff),
    Buffer.alloc(9 * 1024 * 1024, claims),
    ...packets(2).map((packet) => pcapRecord(packet)),
  );
  const { packets: got } = await readBytes(t, file);
  const seconds = (performance.now() - began) / 1000;
  t.ok(seconds < 5, `${seconds} s`);
  t.ok(got.at(-1)!.frame.equals(packets(2)[1]!.frame), 'the search goes to the end');
});
