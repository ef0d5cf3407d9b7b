import t from 'tap';
import { numbers, type Order, section } from '../../../scene/captures.ts';
import { readBytes } from '../../../scene/file-read.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { ethernet, ip4, join, tcp } from '../../../scene/packets.ts';
import { t0 } from '../../../scene/records.ts';

const frame = ethernet(ip4('10.0.1.2', '10.0.2.3', tcp(40000, 80, 'A', { payload: 3 })));
const other = ethernet(ip4('10.0.2.3', '10.0.1.2', tcp(80, 40000, 'A')));

for (const order of ['little', 'big'] satisfies Order[]) {
  const { head, interface: link, packet, oldPacket, simplePacket, option, block } = section(order);

  t.test(`${order} endian: enhanced, old and simple packets`, async (t) => {
    const file = join(head, link(1), packet(t0, frame, 0, 1514), oldPacket(t0 + 1, other), simplePacket(frame));
    const { packets, read } = await readBytes(t, file);
    t.same(packets, [
      { frame, length: 1514, linkType: 1, source: 0, timeUs: t0 },
      { frame: other, length: other.length, linkType: 1, source: 0, timeUs: t0 + 1 },
      { frame, length: frame.length, linkType: 1, source: 0, timeUs: t0 + 1 },
    ]);
    t.same(read, { packets: 3, dropped: 0, bytes: file.length, problems: [] });
  });

  t.test(`${order} endian: each interface has its link type, resolution and offset`, async (t) => {
    const resolution = (value: number) => option(9, Buffer.from([value]));
    const offset = Buffer.alloc(8);
    if (order === 'little') offset.writeBigInt64LE(1_767_225_600n);
    else offset.writeBigInt64BE(1_767_225_600n);
    const us = BigInt(t0) + 7n;
    const { packets } = await readBytes(
      t,
      join(
        head,
        link(1),
        link(276, resolution(9)),
        link(101, resolution(3)),
        link(1, resolution(0x80 | 20)),
        link(1, join(option(2, Buffer.from('eth0')), resolution(6), option(14, offset), option(0, Buffer.alloc(0)))),
        link(1, resolution(0)),
        packet(us, frame, 0),
        packet(us * 1000n + 999n, frame, 1),
        packet(us / 1000n, frame, 2),
        packet((us * 2n ** 20n) / 1_000_000n, frame, 3),
        packet(7, frame, 4),
        packet(us / 1_000_000n, frame, 5),
      ),
    );
    t.same(
      packets.map(({ linkType, source, timeUs }) => [source, linkType, timeUs - t0]),
      [
        [0, 1, 7],
        [1, 276, 7],
        [2, 101, 0],
        [3, 1, 6],
        [4, 1, 7],
        [5, 1, 0],
      ],
    );
  });

  t.test(`${order} endian: nanoseconds are exact to the microsecond, whatever the low word`, async (t) => {
    const times = Array.from({ length: 200 }, (_, i) => BigInt(t0) * 1000n + BigInt(i) * 48_611_111n + 999n);
    const { packets } = await readBytes(
      t,
      join(head, link(1, option(9, Buffer.from([9]))), ...times.map((ns) => packet(ns, frame))),
    );
    t.same(
      packets.map(({ timeUs }) => timeUs),
      times.map((ns) => Number(ns / 1000n)),
    );
  });

  t.test(`${order} endian: a simple packet is no longer than the interface's snap length`, async (t) => {
    const cut = simplePacket(frame.subarray(0, 32), frame.length);
    const { packets } = await readBytes(t, join(head, link(1, Buffer.alloc(0), 30), cut));
    matchEach(t, packets, [{ frame: frame.subarray(0, 30), length: frame.length }]);
  });

  t.test(`${order} endian: blocks without a packet are skipped`, async (t) => {
    const { packets, lines } = await readBytes(
      t,
      join(head, link(1), block(4, 40), block(5, 20), block(0x0bad, 8), packet(t0, frame)),
    );
    t.equal(packets.length, 1);
    t.same(lines, []);
  });
}

t.test('a file may have several sections, each with its own byte order and interfaces', async (t) => {
  const [little, big] = [section('little'), section('big')];
  const { packets, read } = await readBytes(
    t,
    join(
      little.head,
      little.interface(1),
      little.interface(101),
      little.packet(t0, frame, 1),
      big.head,
      big.interface(276),
      big.packet(t0, other, 0),
      little.head,
      little.interface(113),
      little.packet(t0, frame, 0),
    ),
  );
  t.same(
    packets.map(({ linkType }) => linkType),
    [101, 276, 113],
  );
  t.same(read.problems, []);
});

t.test('a file cut at any byte: the packets before the cut are read, and one line reports the cut', async (t) => {
  const { head, interface: link, packet } = section();
  const blocks = [head, link(), packet(t0, frame), packet(t0, other)];
  const file = join(...blocks);
  const ends = blocks.map((_, i) => join(...blocks.slice(0, i + 1)).length);
  for (let cut = 4; cut < file.length; cut++) {
    const { packets, lines } = await readBytes(t, file.subarray(0, cut));
    t.equal(packets.length, ends.slice(2).filter((end) => end <= cut).length, `${cut} bytes`);
    t.equal(lines.length, ends.includes(cut) ? 0 : 1, `${cut} bytes: ${lines}`);
    if (lines.length > 0) t.match(lines[0], /^capture-file-truncated: FILE, byte \d+: /);
  }
});

t.test('a corrupt block: the packets before and after it are read, and one line reports it', async (t) => {
  const { head, interface: link, packet, block } = section();
  const sound = packet(t0, frame);
  const changed = (at: number, value: number) => {
    const bytes = Buffer.from(sound);
    bytes.writeUInt32LE(value, at);
    return bytes;
  };
  const faults: [name: string, bytes: Buffer, reported: RegExp][] = [
    ['an invalid length', changed(4, 13), /a block claims 13 bytes/],
    ['a length above the limit', changed(4, 0x7ffffffc), /a block claims 2147483644 bytes/],
    ['a length beyond the file', changed(4, 100_000), /a packet claims more bytes than the file has/],
    ['a length that includes other blocks', changed(4, sound.length + 8), /a block has two different lengths/],
    ['another length at its end', changed(sound.length - 4, 16), /a block has two different lengths/],
    ['an unknown interface', changed(8, 3), /a packet names interface 3, which the section does not have/],
    ['a captured length above the block’s', changed(20, 5000), /a packet claims 5000 bytes, more than its block/],
    ['a packet block too short for a packet', block(6, 16), /a packet block is too short/],
    ['an interface block too short for an interface', block(1, 4), /an interface block is too short/],
    ['invalid bytes', Buffer.alloc(64, 0xee), /a block claims 4008636142 bytes/],
    ['invalid bytes that move the next blocks', Buffer.alloc(63, 0xee), /a block claims 4008636142 bytes/],
  ];
  for (const [name, bytes, expected] of faults) {
    const { packets, lines } = await readBytes(
      t,
      join(head, link(), packet(t0, other), bytes, packet(t0, other), packet(t0, other)),
    );
    t.same(
      packets.map((one) => one.frame.equals(other)),
      [true, true, true],
      name,
    );
    t.equal(lines.length, 1, name);
    t.match(lines[0], expected, name);
    t.match(
      lines[0],
      /^capture-file-corrupt: FILE, byte \d+: .*; skipped \d+ bytes, read 1 packet before them; /,
      name,
    );
  }
});

t.test('after a fault, a section in the other byte order is found', async (t) => {
  const [little, big] = [section('little'), section('big')];
  const { packets, lines } = await readBytes(
    t,
    join(
      little.head,
      little.interface(),
      little.packet(t0, frame),
      Buffer.alloc(40, 0xee),
      big.head,
      big.interface(113),
      big.packet(t0, other),
    ),
  );
  t.same(
    packets.map(({ linkType }) => linkType),
    [1, 113],
  );
  t.equal(lines.length, 1);
});

t.test('a section without a byte order, and a simple packet without an interface, are faults', async (t) => {
  const { head, interface: link, packet, simplePacket, block } = section();
  const none = await readBytes(t, join(block(0x0a0d0d0a, 16), head, link(), packet(t0, frame)));
  t.equal(none.packets.length, 1);
  matchEach(t, none.lines, [/a section has no byte order/]);
  const orphan = await readBytes(t, join(head, simplePacket(frame), link(), packet(t0, frame)));
  t.equal(orphan.packets.length, 1);
  matchEach(t, orphan.lines, [/a simple packet has no interface/]);
});

t.test('a packet with a time that no date has is a fault, and the other packets are read', async (t) => {
  const { head, interface: link, packet, option } = section();
  const offset = (seconds: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(seconds);
    return link(1, option(14, bytes));
  };
  const odd: [name: string, link: Buffer, ticks: bigint][] = [
    ['microseconds in an interface of seconds', link(1, option(9, Buffer.from([0]))), BigInt(t0)],
    ['the largest offset', offset(2n ** 63n - 1n), BigInt(t0)],
    ['the smallest offset', offset(-(2n ** 63n)), BigInt(t0)],
    ['the largest time stamp', link(), 2n ** 64n - 1n],
    ['the first microsecond that no date has', link(), 8_640_000_000_000_001n],
  ];
  for (const [name, oddLink, ticks] of odd) {
    const file = join(head, link(), oddLink, packet(ticks, frame, 1), packet(t0, other));
    const { packets, doubtful, lines } = await readBytes(t, file);
    matchEach(t, packets, [{ frame: other, timeUs: t0 }]);
    t.equal(doubtful, 0, name);
    matchEach(t, lines, [
      /^capture-file-corrupt: FILE, byte \d+: a packet has a time before 1970 or after 2243; skipped /,
    ]);
  }
  const last = await readBytes(t, join(head, link(), packet(8_640_000_000_000_000n, frame)));
  t.equal(new Date(last.packets[0]!.timeUs / 1000).getTime(), 8_640_000_000_000, 'the last one is read');
});

t.test(
  'a section keeps at most 65,536 interfaces; more are a fault, and the packets of the first ones are read',
  async (t) => {
    const { head, interface: link, packet } = section();
    const links = Buffer.alloc(20 * 65_540, link());
    const { packets, doubtful, lines } = await readBytes(
      t,
      join(head, links, packet(t0, frame, 65_535), packet(t0, frame, 65_536), packet(t0, other, 0)),
    );
    t.same([packets.length, doubtful], [2, 0]);
    matchEach(t, lines, [
      ...Array.from({ length: 4 }, () => /a section has more than 65536 interfaces; skipped 20 bytes/),
      /a packet names interface 65536, which the section does not have/,
    ]);
  },
);

t.test('a search after a fault takes time in proportion to the file, whatever lengths its bytes claim', async (t) => {
  const { head, interface: link, packet } = section();
  const [type, length] = [Buffer.alloc(4), Buffer.alloc(4)];
  type.writeUInt32LE(6);
  for (const claimed of [16 * 1024 * 1024 - 4, 256 * 1024]) {
    length.writeUInt32LE(claimed);
    const claims = Buffer.alloc(17 * 1024 * 1024, join(type, length));
    const began = performance.now();
    const { packets } = await readBytes(t, join(head, link(), Buffer.alloc(12, 1), claims, packet(t0, frame)));
    const seconds = (performance.now() - began) / 1000;
    t.ok(seconds < 5, `${seconds} s`);
    t.equal(packets.length, 1);
  }
});

t.test('packets that the statistics of an interface report as dropped are counted once', async (t) => {
  for (const order of ['little', 'big'] satisfies Order[]) {
    const { head, interface: link, packet, block, option } = section(order);
    const { word } = numbers(order);
    const count = (value: number) => (order === 'little' ? join(word(value), word(0)) : join(word(0), word(value)));
    const statistics = (index: number, dropped: number, bySystem: number) =>
      block(5, word(index), 8, option(4, count(900)), option(5, count(dropped)), option(7, count(bySystem)));
    const file = join(head, link(), link(), packet(t0, frame), statistics(0, 5, 1), statistics(1, 7, 0));
    t.equal((await readBytes(t, file)).read.dropped, 13, order);
    const later = await readBytes(t, join(file, statistics(0, 8, 2), statistics(9, 50, 0)));
    t.equal(later.read.dropped, 17, 'a later block replaces an earlier one');
    t.equal((await readBytes(t, join(file, file))).read.dropped, 26, 'each section has its own');
    const invalid = block(5, word(0), 8, option(5, Buffer.alloc(8, 0xff)));
    const { read, lines } = await readBytes(t, join(head, link(), invalid, block(5, word(0))));
    t.same([read.dropped, lines], [0, []], 'an invalid count is ignored');
  }
});
