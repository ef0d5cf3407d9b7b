import fc from 'fast-check';
import t from 'tap';
import { KeyCounts, type MemberCounts, NumberCounts } from '../../../collector/findings/member-counts.ts';

/** Steps of a member: connections to add, or -1 to remove one. */
const steps = fc.array(
  fc.record({
    member: fc.oneof(fc.constantFrom(0, 1, 2, 65_535), fc.nat(65_535)),
    change: fc.constantFrom(-1, -1, 0, 1, 1, 2, 300),
  }),
  { maxLength: 60 },
);

function matchesModel<Member>(
  counts: MemberCounts<Member>,
  memberOf: (member: number) => Member,
  parse: (text: string) => MemberCounts<Member>,
  changes: readonly { member: number; change: number }[],
): boolean {
  const model = new Map<number, number>();
  for (const { member, change } of changes) {
    const before = model.get(member) ?? 0;
    if (change < 0) {
      if (counts.remove(memberOf(member)) !== before > 0) return false;
      model.set(member, Math.max(0, before - 1));
    } else {
      counts.add(memberOf(member), change);
      model.set(member, before + change);
    }
  }
  const expected = [...model]
    .filter(([, connections]) => connections > 0)
    .sort(([a], [b]) => a - b)
    .map(([member, connections]) => [memberOf(member), connections]);
  const isRight = (one: MemberCounts<Member>) =>
    one.size === expected.length && JSON.stringify([...one.entries()]) === JSON.stringify(expected);
  return isRight(counts) && isRight(parse(counts.text()));
}

t.test('counts of ports equal those of a simple model, also when they are stored and read back', async (t) => {
  fc.assert(fc.property(steps, (changes) => matchesModel(new NumberCounts(), (it) => it, NumberCounts.parse, changes)));
  t.pass();
});

t.test('so do counts of responders', async (t) => {
  const keyOf = (member: number) => `pod shop/Deployment/w${String(member).padStart(5, '0')}`;
  fc.assert(fc.property(steps, (changes) => matchesModel(new KeyCounts(), keyOf, KeyCounts.parse, changes)));
  t.pass();
});

t.test('a scan of all ports is stored in a few characters', async (t) => {
  const counts = new NumberCounts();
  for (let port = 1; port <= 65_535; port++) counts.add(port, 1);
  counts.add(22, 3);
  t.equal(counts.text(), '1-21:1,22:4,23-65535:1');
  t.equal(counts.size, 65_535);
});

t.test('a text that cannot be read counts nothing', async (t) => {
  for (const text of ['', 'odd', '1-', '5:x']) t.equal(NumberCounts.parse(text).size, 0, text);
  for (const text of ['', '{', '7', '[["a"]]']) t.equal(KeyCounts.parse(text).size, 0, text);
});
