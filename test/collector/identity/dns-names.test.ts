import t from 'tap';
import { DnsNames } from '../../../collector/identity/dns-names.ts';
import { ip, second, t0 } from '../../scene/records.ts';

const address = ip('192.0.2.1');
const minute = 60 * second;

function learn(names: DnsNames, name: string, atSeconds: number, ttlSeconds = 60, of = address): void {
  names.learn([{ name, address: of, atUs: t0 + atSeconds * second, ttlSeconds }], 0);
}

t.test('a name is valid from its answer until ten minutes after its time to live', async (t) => {
  const names = new DnsNames(10);
  learn(names, 'a', 100, 60);
  t.same(names.at(address, t0 + 98 * second), [], 'before the answer');
  t.same(names.at(address, t0 + 99.5 * second), ['a'], 'within the clock tolerance');
  t.same(names.at(address, t0 + 160 * second + 10 * minute), ['a']);
  t.same(names.at(address, t0 + 161 * second + 10 * minute), []);
  t.same(names.at(ip('192.0.2.2'), t0 + 100 * second), []);
});

t.test('the offset converts times of an agent to the collector’s clock', async (t) => {
  const names = new DnsNames(10);
  names.learn([{ name: 'a', address, atUs: t0, ttlSeconds: 1 }], 3600 * second);
  t.same(names.at(address, t0), []);
  t.same(names.at(address, t0 + 3600 * second), ['a']);
});

t.test('at most the five newest names, newest first', async (t) => {
  const names = new DnsNames(10);
  for (const [i, name] of ['a', 'b', 'c', 'd', 'e', 'f', 'g'].entries()) learn(names, name, i);
  learn(names, 'c', 10);
  t.same(names.at(address, t0 + 10 * second), ['c', 'g', 'f', 'e', 'd']);
});

t.test('a late answer is sorted by its time, and does not shorten the validity of a name', async (t) => {
  const names = new DnsNames(10);
  learn(names, 'a', 100, 3600);
  learn(names, 'b', 50);
  learn(names, 'a', 60, 1);
  t.same(names.at(address, t0 + 100 * second), ['a', 'b']);
  t.same(names.at(address, t0 + 3700 * second), ['a']);
  t.same(names.at(address, t0 + 60 * second), ['a', 'b'], 'valid from its earliest answer on');
});

t.test('a connection of yesterday keeps the name that it began with', async (t) => {
  const names = new DnsNames(10);
  learn(names, 'old', 0);
  learn(names, 'new', 86_400);
  t.same(names.at(address, t0 + second), ['old']);
  t.same(names.at(address, t0 + 86_401 * second), ['new']);
});

t.test('the number of addresses is limited to those that were resolved last', async (t) => {
  const names = new DnsNames(2);
  const [first, second_, third] = [ip('192.0.2.1'), ip('192.0.2.2'), ip('2001:db8::1')];
  learn(names, 'a', 0, 60, first);
  learn(names, 'b', 0, 60, second_);
  learn(names, 'a', 1, 60, first);
  learn(names, 'c', 1, 60, third);
  t.same(
    [first, second_, third].map((one) => names.at(one, t0 + second)),
    [['a'], [], ['c']],
  );
  for (let i = 0; i < 100; i++) learn(names, `n${i}`, i);
  t.equal(names.at(address, t0 + 99 * second).length, 5);
});

t.test('an endpoint keeps its names after a restart', async (t) => {
  const names = new DnsNames(10);
  names.restore({ kind: 'external', ip: address, names: ['newest', 'older'] }, t0);
  names.restore({ kind: 'external', ip: address }, t0);
  names.restore({ kind: 'pod' }, t0);
  t.same(names.at(address, t0), ['newest', 'older']);
});
