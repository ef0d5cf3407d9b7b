// DNS answers: messages from the RFC, arbitrary bytes, and a comparison with Node's resolver.
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { readDnsMessage } from '../../../../agent/capture/decode/dns.ts';
import { ANSWER, dnsMessage, dnsQuery, dnsTypes, withLength } from '../../../../lab/programs/dns-message.ts';
import { isPrintableName } from '../../../../model/dns-answer.ts';
import { answer, read } from '../../../scene/dns.ts';
import { join, u8, u16, u32 } from '../../../scene/packets.ts';

/** RFC 1035 4.1.1: id, flags, number of questions and answers. */
const header = (answers: number, flags = 0x8180, questions = 1) => u16(7, flags, questions, answers, 0, 0);
const label = (text: string) => join(u8(text.length), Buffer.from(text, 'latin1'));
const question = (...labels: string[]) => join(...labels.map(label), u8(0), u16(1, 1));
const message = (bytes: Buffer) => readDnsMessage(bytes, 0, bytes.length);
/** Its name is a pointer to the question's. */
const addressOf = (ttl: number, ...bytes: number[]) => join(u16(0xc00c, 1, 1), u32(ttl), u16(4), u8(...bytes));

t.test('reads a name, an alias with a pointer into the question, and addresses of both families', async (t) => {
  const message = Buffer.from(
    '1a2b 8180 0001 0003 0000 0000' + // header: a response, one question, three answers
      '03 777777 07 6578616d706c65 03 636f6d 00 0001 0001' + // www.example.com A IN
      'c00c 0005 0001 0000003c 0007 04 65646765 c010' + // www.example.com CNAME edge.example.com, at byte 0x2d
      'c02d 0001 0001 0000012c 0004 cb00710a' + // edge.example.com A 203.0.113.10
      'c02d 001c 0001 00000014 0010 20010db8000000000000000000000010',
    'latin1',
  );
  const bytes = Buffer.from(message.toString('latin1').replaceAll(' ', ''), 'hex');
  t.same(read(bytes), ['www.example.com 203.0.113.10 60', 'www.example.com 2001:db8::10 20']);
});

t.test('an alias’s addresses belong to the queried name, with the shortest time to live of the chain', async (t) => {
  const chain = [
    'a.example 100 b.example',
    'b.example 20 c.example',
    'c.example 300 192.0.2.1',
    'c.example 5 192.0.2.2',
  ];
  t.same(read(answer('a.example', ...chain)), ['a.example 192.0.2.1 20', 'a.example 192.0.2.2 5']);
  t.same(read(answer('a.example', ...chain.toReversed())), ['a.example 192.0.2.2 5', 'a.example 192.0.2.1 20']);
});

t.test('an address of another name than the queried one is ignored', async (t) => {
  t.same(read(answer('a.example', 'bank.example 9 192.0.2.1', 'a.example 9 192.0.2.2')), ['a.example 192.0.2.2 9']);
});

t.test('names are lower case, whatever the case of the query', async (t) => {
  t.same(read(answer('WwW.Example.COM', 'www.EXAMPLE.com 9 192.0.2.1')), ['www.example.com 192.0.2.1 9']);
});

t.test('only answers without error to one question in class IN are read', async (t) => {
  const body = join(question('a'), addressOf(9, 192, 0, 2, 1));
  const cases: Record<string, Buffer> = {
    'a query': join(header(1, 0x0100), body),
    'no such name': join(header(1, 0x8183), body),
    'a refusal': join(header(1, 0x8185), body),
    'another kind of query': join(header(1, 0xa180), body),
    'no question': join(header(1, 0x8180, 0), addressOf(9, 192, 0, 2, 1)),
    'two questions': join(header(1, 0x8180, 2), body),
    'another class': join(header(1), label('a'), u8(0), u16(1, 3), addressOf(9, 192, 0, 2, 1)),
    'an address of three bytes': join(header(1), question('a'), u16(0xc00c, 1, 1), u32(9), u16(3), 3),
    'the root': join(header(1), question(), addressOf(9, 192, 0, 2, 1)),
  };
  t.same(read(join(header(1), body)), ['a 192.0.2.1 9']);
  for (const [name, bytes] of Object.entries(cases)) t.same(read(bytes), [], name);
});

t.test('other record types are ignored, and a time to live above 31 bits counts as 0 (RFC 2181 8)', async (t) => {
  const text = join(u16(0xc00c, 16, 1), u32(9), u16(5), label('spf1'));
  const signature = join(u16(0xc00c, 46, 1), u32(9), u16(40), 40);
  const answers = [text, addressOf(0xffffffff, 192, 0, 2, 1), signature, addressOf(9, 192, 0, 2, 2)];
  t.same(read(join(header(4), question('a'), ...answers)), ['a 192.0.2.1 0', 'a 192.0.2.2 9']);
});

t.test('answers for a name that is not printable are ignored', async (t) => {
  for (const text of ['a b', 'a.b', 'a\\b', 'a\x00', '\x1b[31m', 'm\xfcll', '\x7f']) {
    t.same(read(join(header(1), question(text, 'example'), addressOf(9, 192, 0, 2, 1))), [], JSON.stringify(text));
  }
  t.same(read(join(header(1), question('_sip', 'x-1'), addressOf(9, 192, 0, 2, 1))), ['_sip.x-1 192.0.2.1 9']);
});

t.test('a name has at most 253 characters', async (t) => {
  const long = 'x'.repeat(63);
  t.equal(read(join(header(1), question(long, long, long, 'y'.repeat(61)), addressOf(9, 192, 0, 2, 1))).length, 1);
  t.same(read(join(header(1), question(long, long, long, 'y'.repeat(62)), addressOf(9, 192, 0, 2, 1))), []);
});

t.test('reading stops at a pointer that loops, leads forward, or leads out of the message', async (t) => {
  const rest = join(u16(1, 1), u32(9), u16(4), u8(192, 0, 2, 1));
  const behind = header(2).length + question('a').length;
  for (const [name, pointer] of [
    ['to itself', 0xc000 | behind],
    ['forward', 0xc000 | (behind + 2)],
    ['out of the message', 0xffff],
    ['of an unknown kind', 0x4000 | behind],
  ] as const) {
    t.same(read(join(header(2), question('a'), u16(pointer), rest, addressOf(9, 192, 0, 2, 2))), [], name);
  }
  const loop = join(u16(0xc00c, 5, 1), u32(9), u16(4), label('b'), u16(0xc000 | (behind + 12)));
  t.same(
    read(join(header(2), question('a'), loop, addressOf(9, 192, 0, 2, 2))),
    ['a 192.0.2.2 9'],
    'a loop within an alias ends only the alias',
  );
});

t.test('alias loops end, and at most 16 aliases are followed', async (t) => {
  t.same(read(answer('a', 'a 9 b', 'b 9 a', 'b 9 192.0.2.1')), ['a 192.0.2.1 9']);
  const chain = (length: number) => Array.from({ length }, (_, i) => `n${i} 9 n${i + 1}`);
  t.equal(read(answer('n0', ...chain(16), 'n16 9 192.0.2.1')).length, 1);
  t.equal(read(answer('n0', ...chain(17), 'n17 9 192.0.2.1')).length, 0);
});

t.test('at most 64 answers of a message are read', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => `a 9 10.0.${i >> 8}.${i & 255}`);
  t.equal(read(answer('a', ...many)).length, 64);
});

t.test('all complete answers of a truncated message are read, wherever it is cut', async (t) => {
  const bytes = answer(
    'www.example.com',
    'www.example.com 9 e.example',
    'e.example 9 192.0.2.1',
    'e.example 9 2001:db8::1',
  );
  const all = read(bytes);
  t.equal(all.length, 2);
  const seen = new Set<number>();
  for (let end = 0; end <= bytes.length; end++) {
    // The rest of the message follows in memory; reading beyond the end would find it.
    const some = read(bytes.subarray(0, end));
    t.same(some, all.slice(0, some.length), `${end} bytes`);
    seen.add(some.length);
  }
  t.same([...seen], [0, 1, 2]);
});

t.test('over TCP, the whole messages of a segment are read', async (t) => {
  const one = withLength(answer('a', 'a 9 192.0.2.1'));
  const two = withLength(answer('b', 'b 9 192.0.2.2', 'b 9 192.0.2.3'));
  t.same(read(join(one, two), 'TCP'), ['a 192.0.2.1 9', 'b 192.0.2.2 9', 'b 192.0.2.3 9']);
  t.same(read(join(one, two).subarray(0, -1), 'TCP'), ['a 192.0.2.1 9']);
  t.same(read(two.subarray(20), 'TCP'), []);
  t.same(read(Buffer.alloc(0), 'TCP'), []);
});

t.test('a query has its id, its name and its type', async (t) => {
  const bytes = dnsQuery('AAAA www.Example.com', 0x1a2b);
  t.same(message(bytes), { kind: 'query', id: 0x1a2b, name: 'www.example.com', type: 28 });
  t.same(message(bytes.subarray(0, -1)), { kind: 'unreadable' }, 'cut within the question');
  t.same(message(join(bytes, u16(0, 41), 20)).kind, 'query', 'with EDNS after it');
});

t.test('a reply is complete if it cannot have given more addresses', async (t) => {
  const whole = answer('a', 'a 9 b', 'b 9 192.0.2.1');
  const ofType = (type: number, ...records: Buffer[]) =>
    join(header(records.length), label('a'), u8(0), u16(type, 1), ...records);
  const text = join(u16(0xc00c, 16, 1), u32(9), u16(5), label('spf1'));
  const cases: [string, Buffer, boolean][] = [
    ['whole', whole, true],
    ['no such name', join(header(0, 0x8183), question('a')), true],
    ['no addresses', answer('a'), true],
    ['a type without addresses', ofType(16, text), true],
    ['cut', whole.subarray(0, -1), false],
    ['more records than are read', answer('a', ...Array.from({ length: 65 }, () => 'a 9 192.0.2.1')), false],
    [
      'more aliases than are followed',
      answer('n0', ...Array.from({ length: 17 }, (_, i) => `n${i} 9 n${i + 1}`)),
      false,
    ],
    ['an alias that is not printable', answer('a', 'a 9 b\\c'), false],
    ['HTTPS with hints', ofType(65, join(u16(0xc00c, 65, 1), u32(9), u16(4), 4)), false],
    ['HTTPS without records', ofType(65), true],
  ];
  for (const [name, bytes, complete] of cases) t.match(message(bytes), { kind: 'reply', complete }, name);
});

t.test('arbitrary bytes cause no error, and nothing beyond the end is read', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(header(3), question('a'), u16(0xc00c), u16(0xc00c, 5, 1), addressOf(9, 192, 0, 2, 1), u8(0)),
    fc.nat(0x3fff).map((to) => u16(0xc000 | to)),
  );
  const message = fc.tuple(fc.boolean(), fc.array(piece, { maxLength: 12 })).map(([begun, pieces]) => {
    return join(...(begun ? [header(60), question('a')] : []), ...pieces);
  });
  fc.assert(
    fc.property(message, fc.constantFrom('UDP', 'TCP'), (bytes, over) => {
      const answers = read(bytes, over);
      const shown = answers.every((text) => isPrintableName(text.split(' ')[0]!));
      const behind = Buffer.concat([bytes, addressOf(9, 192, 0, 2, 1), Buffer.alloc(300, 1)]);
      return shown && answers.join() === read(behind.subarray(0, bytes.length), over).join();
    }),
    { numRuns: 2000 },
  );
});

t.test('reads the same answers as Node’s resolver (c-ares)', async (t) => {
  const server = createSocket('udp4');
  let answers: string[] = [];
  let sent: Buffer = Buffer.alloc(0);
  let runs = 0;
  server.on('message', (query, from) => {
    const asked = query.toString('latin1', 13, 13 + query[12]!);
    // Ignore late queries and those of other programs.
    if (asked.toLowerCase() !== `asked${runs}`) return;
    const type = query.readUInt16BE(14 + query[12]!);
    const message = answer(asked, ...answers.map((text) => text.replaceAll('ASKED', asked)));
    query.copy(message, 0, 0, 2); // its id
    message.writeUInt16BE(type, 14 + query[12]!);
    sent = message;
    server.send(message, from.port, from.address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const resolver = new Resolver({ timeout: 2000, tries: 1 });
  resolver.setServers([`127.0.0.1:${(server.address() as AddressInfo).port}`]);
  const ttl = fc.integer({ min: 1, max: 86_400 });
  const four = fc.tuple(ttl, fc.nat(255)).map(([seconds, last]) => `${seconds} 192.0.2.${last}`);
  const six = fc.tuple(ttl, fc.nat(0xfffe)).map(([seconds, last]) => `${seconds} 2001:db8::${(last + 1).toString(16)}`);
  const aliases = fc.array(ttl, { maxLength: 4 });
  const scene = fc.tuple(
    aliases,
    fc.oneof(fc.array(four, { minLength: 1, maxLength: 6 }), fc.array(six, { minLength: 1, maxLength: 6 })),
  );
  await fc.assert(
    fc.asyncProperty(scene, async ([chain, addresses]) => {
      runs += 1;
      const names = ['ASKED', ...chain.map((_, i) => `alias${i}.example`)];
      answers = [
        ...chain.map((seconds, i) => `${names[i]} ${seconds} ${names[i + 1]}`),
        ...addresses.map((address) => `${names.at(-1)} ${address}`),
      ];
      const asked = `asked${runs}`;
      const isSix = addresses[0]!.includes(':');
      const theirs = isSix
        ? await resolver.resolve6(asked, { ttl: true })
        : await resolver.resolve4(asked, { ttl: true });
      const ours = read(sent);
      t.same(
        ours.toSorted(),
        theirs.map(({ address, ttl }) => `${asked} ${address} ${ttl}`).toSorted(),
        answers.join(', '),
      );
    }),
    { numRuns: 100 },
  );
});

t.test('compressed and uncompressed names give the same answers', async (t) => {
  const flat = join(
    header(1),
    question('www', 'example'),
    label('www'),
    label('example'),
    u8(0),
    u16(1, 1),
    u32(9),
    u16(4),
    4,
  );
  const message = { id: 7, flags: ANSWER, name: 'www.example', type: dnsTypes.A };
  const compressed = dnsMessage({
    ...message,
    answers: [{ owner: 'www.example', type: 1, ttlSeconds: 9, data: Buffer.alloc(4) }],
  });
  t.ok(compressed.length < flat.length);
  t.same(read(flat), read(compressed));
});
