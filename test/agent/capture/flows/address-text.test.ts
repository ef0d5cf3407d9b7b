import t from 'tap';
import { addressText } from '../../../../agent/capture/flows/address-text.ts';

function textOf(...words: number[]): string {
  return addressText(Uint32Array.from([9, ...words]), 1);
}

t.test('an address has its canonical text, cached or not', async (t) => {
  for (let time = 0; time < 2; time++) {
    t.equal(textOf(0, 0, 0xffff, 0x0a010203), '10.1.2.3');
    t.equal(textOf(0, 0, 0xffff, 0xffffffff), '255.255.255.255');
    t.equal(textOf(0x20010db8, 0, 0, 1), '2001:db8::1');
    t.equal(textOf(0, 0, 0, 0), '::');
    t.equal(textOf(0, 0, 0, 0x0a010203), '::a01:203', 'not mapped, so it is not IPv4');
  }
});

t.test('addresses that share a cache slot keep their own text', async (t) => {
  // More addresses than slots, twice: each was replaced before it is read again.
  for (let round = 0; round < 2; round++) {
    let wrong = 0;
    for (let i = 0; i < 40_000; i++) if (textOf(0, 0, 0xffff, i) !== `0.0.${i >> 8}.${i & 255}`) wrong += 1;
    t.equal(wrong, 0);
  }
});
