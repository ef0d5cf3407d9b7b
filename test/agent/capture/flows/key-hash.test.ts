import t from 'tap';
import { hashOf } from '../../../../agent/capture/flows/key-hash.ts';

const count = 30_000;
const slots = 65_536;

/** Keys like those of a cluster: few words change. */
const rows: Record<string, (i: number) => number[]> = {
  'ports of one pair': (i) => [0, 0, 0xffff, 0x0a010001, 0, 0, 0xffff, 0x0a020001, (i << 16) | 443, 6, 1],
  'hosts of a network': (i) => [0, 0, 0xffff, 0x0a010000 + i, 0, 0, 0xffff, 0x0a020001, 0x80000035, 17, 1],
  'IPv6 hosts': (i) => [0xfd000001, 0, 0, i, 0xfd000002, 0, 0, i * 3, 0x800001bb, 6, 1],
  'one connection at many interfaces': (i) => [0, 0, 0xffff, 1, 0, 0, 0xffff, 2, 0x800001bb, 6, i],
};

function usedSlots(keyOf: (i: number) => number[], seed: number): Set<number> {
  const hash = (i: number) => hashOf(Uint32Array.from(keyOf(i)), seed) & (slots - 1);
  return new Set(Array.from({ length: count }, (_, i) => hash(i)));
}

t.test('similar keys are spread over the slots, whatever the seed', async (t) => {
  // With random hashes, a slot stays empty with the probability (1 - 1/slots) ** count.
  const byChance = slots * (1 - (1 - 1 / slots) ** count);
  for (const [name, keyOf] of Object.entries(rows)) {
    for (const seed of [0, 1, 0x9e3779b9, 0xffffffff]) {
      t.ok(usedSlots(keyOf, seed).size > byChance * 0.93, `${name}, seed ${seed}`);
    }
  }
});

t.test('another seed gives another hash', async (t) => {
  const key = Uint32Array.from(rows['ports of one pair']!(1));
  t.equal(hashOf(key, 1), hashOf(key, 1));
  t.equal(new Set(Array.from({ length: 100 }, (_, seed) => hashOf(key, seed))).size, 100);
});

t.test('each word of the key changes the hash', async (t) => {
  const key = Uint32Array.from(rows['IPv6 hosts']!(1));
  for (let word = 0; word < key.length; word++) t.not(hashOf(key.with(word, 7), 1), hashOf(key, 1), `word ${word}`);
});
