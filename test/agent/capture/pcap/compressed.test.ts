import { execFileSync } from 'node:child_process';
import { createReadStream, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { ChunkSource } from '../../../../agent/capture/pcap/byte-source.ts';
import { DamagedContent, decompress } from '../../../../agent/capture/pcap/decompress.ts';
import { pcapFile, section } from '../../../scene/captures.ts';
import { folderFor, type ReadFile, readBytes, readPath } from '../../../scene/file-read.ts';
import * as packets from '../../../scene/packets.ts';
import { t0 } from '../../../scene/records.ts';

const frameOf = (i: number) =>
  packets.ethernet(packets.ip4('10.0.1.2', '10.0.2.3', packets.tcp(1 + ((i * 7919) % 60_000), 80)));
const capture = (count: number, from = 0) =>
  pcapFile(Array.from({ length: count }, (_, i) => ({ frame: frameOf(from + i), timeUs: t0 + (from + i) * 1009 })));
/** Like the command zstd, with a checksum. */
const zstd = (bytes: Buffer) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const compressions: Record<string, (bytes: Buffer) => Buffer> = { gzip: gzipSync, zstd };

/** A pattern that compresses badly, so that the damage is far from the end. */
const long = capture(20_000);

const textOf = ({ packets, lines }: ReadFile) => JSON.stringify([packets, lines]);

for (const [name, compress] of Object.entries(compressions)) {
  t.test(`${name}: the packets are those of the file without compression`, async (t) => {
    const { head, interface: link, packet } = section();
    const ng = packets.join(head, link(), packet(t0, frameOf(1)), packet(t0 + 1, frameOf(2)));
    for (const file of [capture(1), capture(3), ng, long]) {
      const expected = await readBytes(t, file);
      t.ok(textOf(await readBytes(t, compress(file))) === textOf(expected), `${file.length} bytes`);
      t.same(expected.lines, []);
    }
  });

  t.test(`${name}: parts that were compressed one by one are one file`, async (t) => {
    for (const cuts of [[30], [24, 100], [1000, 400_000, 400_001]]) {
      const parts = [0, ...cuts].map((at, i) => long.subarray(at, cuts[i] ?? long.length));
      const file = Buffer.concat(parts.map((part) => compress(part)));
      t.ok(textOf(await readBytes(t, file)) === textOf(await readBytes(t, long)), String(cuts));
    }
  });

  t.test(`${name}: truncated content is one line, and the packets before it are read`, async (t) => {
    const file = compress(long);
    for (const length of [file.length - 1, file.length - 5, Math.floor(file.length / 2)]) {
      const { packets, lines } = await readBytes(t, file.subarray(0, length));
      t.equal(lines.length, 1, lines.join('\n'));
      t.match(
        lines[0],
        new RegExp(
          `^capture-file-truncated: FILE, near byte ${length}: its ${name} content ends too early; read ${packets.length} packets before it; `,
        ),
      );
      t.ok(packets.length > 20_000 * (length / file.length) * 0.6, `${packets.length} packets`);
    }
    t.match((await readBytes(t, compress(capture(3)).subarray(0, 12))).lines, [/^capture-file-truncated: /]);
  });

  t.test(`${name}: damaged content is one line, and the packets before it are read`, async (t) => {
    const file = compress(long);
    for (const share of [0.3, 0.6, 0.9]) {
      const at = Math.floor(file.length * share);
      const damaged = Buffer.from(file);
      damaged.fill(0xff, at, at + 40);
      const { packets, lines } = await readBytes(t, damaged);
      const ofContent = lines.filter((line) => line.includes(`its ${name} content is corrupt`));
      t.equal(ofContent.length, 1, lines.join('\n'));
      t.match(ofContent[0], /^capture-file-corrupt: FILE, near byte \d+: /);
      // A block of Zstandard, with up to 128 KiB, is whole or lost.
      const blockPackets = name === 'zstd' ? 1900 : 0;
      t.ok(packets.length > 20_000 * share * 0.9 - blockPackets, `${packets.length} packets of ${20_000 * share}`);
    }
  });

  t.test(`${name}: arbitrary damage gives all packets unchanged, or a line`, async (t) => {
    const path = join(folderFor(t), 'some.pcap');
    const whole = capture(40);
    const file = compress(whole);
    const textsOf = (read: ReadFile) => read.packets.map((one) => JSON.stringify(one));
    const undamaged = textsOf(await readBytes(t, whole));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(file.length), fc.nat(255)), { maxLength: 4 }),
        fc.integer({ min: 4, max: file.length }),
        async (changes, cut) => {
          const bytes = Buffer.from(file.subarray(0, cut));
          for (const [at, value] of changes) if (at >= 4 && at < bytes.length) bytes[at] = value;
          writeFileSync(path, bytes);
          const read = await readPath(path);
          const packets = textsOf(read);
          const isPrefix = packets.every((one, i) => one === undamaged[i]);
          // Only the checksum at the end shows that bytes before it were changed.
          if (changes.length === 0 && !isPrefix) return false;
          return read.lines.length > 0 || (isPrefix && packets.length === undamaged.length);
        },
      ),
      { numRuns: 150 },
    );
  });
}

t.test('gzip: the last packets before a damage are read, also in a small file', async (t) => {
  const file = gzipSync(capture(40), { level: constants.Z_BEST_SPEED });
  const damaged = Buffer.from(file);
  damaged[file.length - 8]! ^= 0xff; // the checksum
  const { packets, lines } = await readBytes(t, damaged);
  t.equal(packets.length, 40);
  t.match(lines, [
    /^capture-file-corrupt: FILE, near byte \d+: its gzip content is corrupt; read 40 packets before it, none after it; /,
  ]);
});

t.test('content after the last frame of Zstandard is reported, and padding after gzip is not', async (t) => {
  const trailing = await readBytes(t, Buffer.concat([zstdCompressSync(capture(3)), Buffer.from('something else')]));
  t.equal(trailing.packets.length, 3);
  t.match(trailing.lines, [/^capture-file-corrupt: /]);
  const padded = await readBytes(t, Buffer.concat([gzipSync(capture(3)), Buffer.alloc(512)]));
  t.same([padded.packets.length, padded.lines], [3, []]);
});

t.test('gzip: a member that follows zeros is read, and other content after zeros is reported', async (t) => {
  const [first, second] = [gzipSync(capture(3)), gzipSync(capture(3, 3))];
  for (const zeros of [1, 512, 70_000]) {
    const { packets, lines } = await readBytes(t, Buffer.concat([first, Buffer.alloc(zeros), second, Buffer.alloc(9)]));
    t.same([packets.length, lines], [6, []], `${zeros} zeros`);
    const other = await readBytes(t, Buffer.concat([first, Buffer.alloc(zeros), capture(3)]));
    t.equal(other.packets.length, 3);
    t.match(other.lines, [/^capture-file-corrupt: .*its gzip content is corrupt; /]);
  }
});

t.test('damaged gzip in a named FIFO ends with a line: it is not read twice', async (t) => {
  const path = join(folderFor(t), 'fifo');
  execFileSync('mkfifo', [path]);
  const damaged = gzipSync(capture(40));
  damaged[damaged.length - 8]! ^= 0xff; // the checksum
  const [read] = await Promise.all([readPath(path), writeFile(path, damaged)]);
  t.match(read.lines, [/^capture-file-corrupt: FILE, near byte \d+: its gzip content is corrupt; /]);
});

t.test('a Zstandard window that is too large is named', async (t) => {
  // A frame header: the magic, no content size, a window of 1 GiB; then one raw block.
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (30 - 10) << 3]);
  const content = capture(1);
  const block = Buffer.alloc(3);
  block.writeUIntLE(1 | (content.length << 3), 0, 3);
  const { lines } = await readBytes(t, Buffer.concat([header, block, content]));
  t.same(lines, [
    'capture-file-unknown: FILE, near byte 0: its zstd window is larger than 128 MiB; read 0 packets before it; ' +
      'decompress it first, or compress it again without --long and --ultra',
  ]);
});

t.test('a file is closed, also after damage and if its content is not a capture', async (t) => {
  const path = join(folderFor(t), 'some.gz');
  const damaged = gzipSync(capture(40));
  damaged[damaged.length - 8]! ^= 0xff;
  for (const content of [damaged, gzipSync(Buffer.alloc(300_000)), gzipSync(capture(3)), Buffer.alloc(0)]) {
    writeFileSync(path, content);
    await readPath(path);
    const open = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === path);
    t.same(open, []);
  }
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // that of the folder, closed since
  }
}

t.test('a compression that is not decompressed is named', async (t) => {
  const heads = { xz: '\xfd7zXZ\0', bzip2: 'BZh91AY', lz4: '\x04\x22\x4d\x18', zip: 'PK\x03\x04' };
  for (const [name, head] of Object.entries(heads)) {
    const { lines } = await readBytes(t, Buffer.from(`${head}...............`, 'latin1'));
    t.same(lines, [
      `capture-file-unknown: FILE: is compressed with ${name}; decompress it first, or compress it with gzip or zstd`,
    ]);
  }
});

t.test('a compressed file that is not a capture is reported like any other', async (t) => {
  t.match((await readBytes(t, gzipSync('no capture'))).lines, [
    /^capture-file-unknown: FILE: is neither pcap nor pcapng; /,
  ]);
});

t.test('content that grows a thousandfold needs no more memory than its chunks', async (t) => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
  const path = join(folderFor(t), 'bomb');
  writeFileSync(path, bomb);
  const source = decompress(new ChunkSource(createReadStream(path), async () => undefined), 'gzip', undefined);
  const into = Buffer.alloc(512 * 1024);
  let [total, most] = [0, 0];
  const before = process.memoryUsage.rss();
  for (let length = -1; length !== 0; total += length) {
    length = await source.read(into, 0);
    most = Math.max(most, process.memoryUsage.rss() - before);
  }
  t.equal(total, 256 * 1024 * 1024);
  t.ok(most < 100 * 1024 * 1024, `${Math.round(most / 1024 / 1024)} MiB`);
});

t.test('from stdin, at most the bytes of one small step are lost before a damage', async (t) => {
  const file = gzipSync(long);
  const damaged = Buffer.from(file);
  damaged[file.length - 8]! ^= 0xff;
  const source = decompress(new ChunkSource(chunksOf(damaged, 300), async () => undefined), 'gzip', undefined);
  let total = 0;
  let fault: unknown;
  const into = Buffer.alloc(100_000);
  try {
    for (let length = -1; length !== 0; total += length) length = await source.read(into, 0);
  } catch (error) {
    fault = error;
  }
  t.ok(fault instanceof DamagedContent);
  t.ok(long.length - total < 20_000, `${long.length - total} bytes lost`);
});

async function* chunksOf(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
