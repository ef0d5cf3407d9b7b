import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { readCaptureFile } from '../../../../agent/capture/pcap/capture-file.ts';
import { pcapFile, section } from '../../../scene/captures.ts';
import { folderFor, readBytes, readPath } from '../../../scene/file-read.ts';
import { matchEach } from '../../../scene/match-each.ts';
import * as packets from '../../../scene/packets.ts';
import { t0 } from '../../../scene/records.ts';

const frame = packets.ethernet(packets.ip4('10.0.1.2', '10.0.2.3', packets.tcp(40000, 80)));
const unknown =
  'capture-file-unknown: FILE: is neither pcap nor pcapng; give a file that tcpdump -w or Wireshark wrote, also compressed with gzip or zstd';

t.test('a file of another format, an empty file and a file of 3 bytes are reported in one line', async (t) => {
  for (const bytes of [Buffer.from('{"not": "a capture"}'), Buffer.alloc(0), Buffer.from([0xd4, 0xc3, 0xb2])]) {
    const { lines, read } = await readBytes(t, bytes);
    t.same(lines, [unknown]);
    t.equal(read.packets, 0);
  }
});

t.test('a missing file and a folder are reported as unreadable', async (t) => {
  const folder = folderFor(t);
  const fix = 'give the path of a pcap or pcapng file';
  t.same((await readPath(join(folder, 'nowhere'))).lines, [
    `capture-file-unreadable: FILE: cannot be read (ENOENT); ${fix}`,
  ]);
  mkdirSync(join(folder, 'inner'));
  t.same((await readPath(join(folder, 'inner'))).lines, [
    `capture-file-unreadable: FILE: cannot be read (EISDIR); ${fix}`,
  ]);
});

t.test(
  'a file without read permission is reported as unreadable',
  { skip: process.getuid?.() === 0 && 'root may read it' },
  async (t) => {
    const path = join(folderFor(t), 'secret.pcap');
    writeFileSync(path, pcapFile([]));
    chmodSync(path, 0);
    matchEach(t, (await readPath(path)).lines, [/^capture-file-unreadable: FILE: cannot be read \(EACCES\); /]);
  },
);

t.test('progress is reported for each chunk and ends with the size of the file', async (t) => {
  const path = join(folderFor(t), 'some.pcap');
  const large = { frame: Buffer.alloc(200_000) };
  const file = pcapFile(Array.from({ length: 50 }, () => large));
  writeFileSync(path, file);
  const progress: number[] = [];
  await readCaptureFile(
    path,
    () => undefined,
    (bytes) => progress.push(bytes),
  );
  t.ok(progress.length >= 3 && progress.every((bytes, i) => i === 0 || bytes >= progress[i - 1]!), String(progress));
  t.equal(progress.at(-1), file.length);
});

t.test('an error thrown by onPacket is not reported as a fault of the file', async (t) => {
  const path = join(folderFor(t), 'some.pcap');
  writeFileSync(path, pcapFile([{ frame }]));
  await t.rejects(
    readCaptureFile(path, () => {
      throw new Error('ours');
    }),
    { message: 'ours' },
  );
});

t.test('reading a file with arbitrary changes ends, with packets within the file and at most 11 lines', async (t) => {
  const { head, interface: link, packet, simplePacket } = section();
  const ng = packets.join(head, link(), packet(t0, frame), simplePacket(frame), packet(t0, frame), packet(t0, frame));
  const classic = pcapFile(Array.from({ length: 4 }, () => ({ frame })));
  const change = fc.tuple(fc.nat(600), fc.nat(255));
  const path = join(folderFor(t), 'some.pcap');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(ng, classic),
      fc.array(change, { maxLength: 8 }),
      fc.nat(600),
      async (file, changes, cut) => {
        const bytes = Buffer.from(file.subarray(0, Math.max(cut, 30)));
        for (const [at, value] of changes) if (at >= 4 && at < bytes.length) bytes[at] = value;
        writeFileSync(path, bytes);
        const { packets, read, lines } = await readPath(path);
        return (
          packets.length === read.packets &&
          packets.reduce((sum, one) => sum + one.frame.length, 0) <= bytes.length &&
          read.bytes <= bytes.length &&
          lines.length <= 11
        );
      },
    ),
    { numRuns: 300 },
  );
});
