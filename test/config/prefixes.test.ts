import t from 'tap';
import { namedPrefixes, prefixes, zoneNames } from '../../config/prefixes.ts';
import type { ReadResult } from '../../config/setting.ts';
import type { Prefix } from '../../model/address.ts';

const list = prefixes({ help: '' });
const named = namedPrefixes({ help: '', names: zoneNames });

function texts(read: ReadResult<readonly Prefix[]>): string[] | string {
  return 'value' in read ? read.value.map((one) => one.text) : read.fault;
}

function textsByName(read: ReadResult<Readonly<Record<string, readonly Prefix[]>>>): object | string {
  if (!('value' in read)) return read.fault;
  return Object.fromEntries(Object.entries(read.value).map(([name, one]) => [name, texts({ value: one })]));
}

t.test('a list of CIDRs is a list in YAML, or a string with commas', async (t) => {
  t.same(texts(list.read(['10.0.0.0/8', 'fd00::/8'])), ['10.0.0.0/8', 'fd00::/8']);
  t.same(texts(list.read('10.0.0.0/8, fd00::/8')), ['10.0.0.0/8', 'fd00::/8']);
  t.same(texts(list.read('10.1.2.3/8')), ['10.0.0.0/8'], 'host bits are ignored');
  t.same(texts(list.read('')), []);
  t.same(texts(list.read([])), []);
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'fd00::/129', 'ten', '/8']) {
    t.match(list.read(wrong), { fault: `"${wrong}" is not a CIDR`, fix: /^write it as 10\.0\.0\.0\/8/ });
  }
  t.match(list.read([10]), { fault: '10 is not a CIDR' });
  t.match(list.read({ vpc: [] }), { fault: /is not a list of CIDRs$/ });
});

t.test('named lists are a map in YAML, or a string with names', async (t) => {
  const both = { vpc: ['10.0.0.0/8', '10.9.0.0/16'], office: ['192.0.2.0/24'] };
  t.same(textsByName(named.read(both)), both);
  t.same(textsByName(named.read('vpc=10.0.0.0/8,10.9.0.0/16;office=192.0.2.0/24')), both);
  t.same(textsByName(named.read('')), {});
  t.same(textsByName(named.read({ later: [] })), { later: [] });
});

t.test('a fault in named lists shows the value', async (t) => {
  t.match(named.read('10.0.0.0/8'), { fault: '"" is not a zone name' });
  t.match(named.read('VPC=10.0.0.0/8'), { fault: '"VPC" is not a zone name' });
  t.match(named.read(JSON.parse('{"__proto__": ["10.0.0.0/8"]}')), { fault: '"__proto__" is not a zone name' });
  t.match(named.read('vpc='), { fault: '"" is not a CIDR' });
  t.match(named.read({ vpc: '10.0.0.0/8' }), { fault: '"10.0.0.0/8" is not a list of CIDRs', fix: /^write \[10/ });
  t.match(named.read('vpc=10.0.0.0/8;vpc=10.9.0.0/16'), { fault: '"vpc" is not a unique name' });
  t.match(named.read(['10.0.0.0/8']), { fault: /is not a map$/ });
  t.match(named.read(7), { fault: '7 is not a map' });
});
