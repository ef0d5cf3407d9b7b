import t from 'tap';
import { DnsAnswers } from '../../../agent/capture/dns-answers.ts';
import { UDP } from '../../../model/protocol.ts';
import { answer } from '../../scene/dns.ts';
import { second, t0 } from '../../scene/records.ts';

function drained(names: DnsAnswers, max = 100): string[] {
  return names.drain(max).map(({ name, address, ttlSeconds, atUs }) => {
    return `${name} ${address} ${ttlSeconds} at ${(atUs - t0) / second}`;
  });
}

function receive(names: DnsAnswers, atSeconds: number, ...answers: string[]): void {
  names.receive(UDP, answer(answers[0]!.split(' ')[0]!, ...answers), t0 + atSeconds * second);
}

t.test('an answer is sent once, with its address, its time and its time to live', async (t) => {
  const names = new DnsAnswers(100);
  receive(names, 0, 'www.example 300 192.0.2.1', 'www.example 300 192.0.2.2');
  t.same(drained(names), ['www.example 192.0.2.1 300 at 0', 'www.example 192.0.2.2 300 at 0']);
  receive(names, 1, 'www.example 299 192.0.2.1');
  t.same(drained(names), []);
});

t.test('an answer is sent again if the sent one covers less than half of its time to live', async (t) => {
  const names = new DnsAnswers(100);
  receive(names, 0, 'a 300 192.0.2.1');
  drained(names);
  // A DNS cache counts down, so the answer expires at the same time.
  for (let at = 10; at < 240; at += 10) receive(names, at, `a ${300 - at} 192.0.2.1`);
  t.same(drained(names), []);
  receive(names, 149, 'a 300 192.0.2.1');
  t.same(drained(names), []);
  receive(names, 151, 'a 300 192.0.2.1');
  t.same(drained(names), ['a 192.0.2.1 300 at 151']);
});

t.test('an answer with a time to live of 0 is sent as often as one of 60 s', async (t) => {
  const names = new DnsAnswers(100);
  for (let at = 0; at < 100; at++) receive(names, at, 'a 0 192.0.2.1');
  t.same(drained(names), ['a 192.0.2.1 0 at 93'], 'the latest one before the drain');
  receive(names, 100, 'a 0 192.0.2.1');
  t.same(drained(names), []);
});

t.test('the time to live is limited to one day', async (t) => {
  const names = new DnsAnswers(100);
  receive(names, 0, 'a 2000000000 192.0.2.1');
  t.same(drained(names), ['a 192.0.2.1 86400 at 0']);
});

t.test('answers above the limit of a drain are sent at the next drain', async (t) => {
  const names = new DnsAnswers(100);
  receive(names, 0, 'a 9 192.0.2.1', 'a 9 192.0.2.2', 'a 9 192.0.2.3');
  t.equal(drained(names, 2).length, 2);
  t.same(drained(names, 2), ['a 192.0.2.3 9 at 0']);
});

t.test('answers above maxAnswers are evicted, and sent again when they are seen again', async (t) => {
  const names = new DnsAnswers(2);
  receive(names, 0, 'a 300 192.0.2.1', 'a 300 192.0.2.2', 'a 300 192.0.2.3');
  t.same(drained(names), ['a 192.0.2.2 300 at 0', 'a 192.0.2.3 300 at 0']);
  receive(names, 1, 'a 300 192.0.2.1');
  t.same(drained(names), ['a 192.0.2.1 300 at 1']);
});

t.test('resend sends all answers again that are still valid', async (t) => {
  const names = new DnsAnswers(100);
  receive(names, 0, 'a 3600 192.0.2.1');
  receive(names, 0, 'b 100 192.0.2.2');
  drained(names);
  names.resend(t0 + 200 * second);
  t.same(drained(names), ['a 192.0.2.1 3600 at 0']);
});
