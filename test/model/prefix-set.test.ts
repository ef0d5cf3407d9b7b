import fc from 'fast-check';
import t from 'tap';
import { type Address, parseAddress, parsePrefix, prefixContainsAddress } from '../../model/address.ts';
import { PrefixSet } from '../../model/prefix-set.ts';

/** Only a few bits differ, so that prefixes contain one another and the addresses. */
const byte = fc.constantFrom(0, 1, 2, 3, 128, 192, 255);
const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
const ipv6 = fc
  .array(byte, { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((one) => one.toString(16)).join(':'));
const prefix = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })),
);

t.test('contains the addresses of its prefixes, after any additions and removals', async (t) => {
  fc.assert(
    fc.property(
      fc.array(prefix),
      fc.array(fc.nat()),
      fc.array(fc.oneof(ipv4, ipv6), { minLength: 1 }),
      (some, gone, asked) => {
        const left = some.map(([text, bits]) => parsePrefix(`${text}/${bits}`)!);
        const set = new PrefixSet();
        for (const one of left) set.add(one);
        for (const number of gone) {
          if (left.length === 0) break;
          set.remove(left.splice(number % left.length, 1)[0]!);
        }
        for (const text of asked) {
          const address = parseAddress(text) as Address;
          const held = left.some((one) => prefixContainsAddress(one, address));
          if (set.contains(address) !== held) return false;
        }
        return true;
      },
    ),
    { numRuns: 2_000 },
  );
  t.pass('same as checking each prefix');
});
