import { closeSync, openSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { fixedMemory, mapShared } from '../../kernel/memory.ts';

t.test('fixed memory is filled with zeros', async (t) => {
  for (let i = 0; i < 20; i++) {
    const memory = fixedMemory(4096);
    t.ok(memory.view.every((byte) => byte === 0));
    memory.view.fill(0xff);
    memory.free();
  }
});

t.test('a file is mapped; if the kernel refuses, there is no mapping', async (t) => {
  const file = `${t.testdir({})}/file`;
  writeFileSync(file, Buffer.alloc(8192, 'ab'));
  const fd = openSync(file, 'r');
  const mapping = mapShared(fd, 4096, 'read', 4096)!;
  t.equal(Buffer.from(mapping.memory).toString('latin1', 0, 4), 'abab');
  mapping.unmap();
  t.equal(mapShared(fd, 4096, 'read-write', 0), undefined, 'the file is open read-only');
  closeSync(fd);
});
