import t from 'tap';
import { DnsAnswers } from '../../../agent/capture/dns-answers.ts';
import { dnsQuery, withLength } from '../../../lab/programs/dns-message.ts';
import { clusterDns, DnsPods, replyOf } from '../../scene/dns-pods.ts';
import { join } from '../../scene/packets.ts';
import { second, t0 } from '../../scene/records.ts';

const a = 'a.example';

/** The lines before `watched`, which is reported first, are empty. */
function scene(maxAnswers = 100): { answers: DnsAnswers; pods: DnsPods } {
  const answers = new DnsAnswers(maxAnswers);
  const pods = new DnsPods(answers);
  pods.report(0);
  return { answers, pods };
}

t.test('the reply to a query is reported, with the pod, the server and the transport', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.reply(1.001, a, ['a.example 300 192.0.2.1', 'a.example 300 192.0.2.2']);
  t.same(pods.report(1.2), [
    '7 a.example 192.0.2.1 300 s at 1.001 from 10.96.0.10 UDP',
    '7 a.example 192.0.2.2 300 s at 1.001 from 10.96.0.10 UDP',
  ]);
  t.same(pods.report(1.4), [], 'once');
});

t.test('a packet from port 53 that no query of this pod asked for makes nothing true', async (t) => {
  const forged = ['a.example 86400 198.51.100.20'];
  const cases: Record<string, (pods: DnsPods) => void> = {
    'no query': (pods) => pods.reply(1, a, forged),
    'another id': (pods) => pods.reply(1, a, forged, 8),
    'another port': (pods) => pods.reply(1, a, forged, 7, { port: 40_001 }),
    'another address of the pod': (pods) => pods.reply(1, a, forged, 7, { client: '10.0.1.3' }),
    'another name': (pods) => pods.reply(1, 'b.example', ['b.example 9 198.51.100.20']),
    'another type': (pods) => pods.send(1, 'to-pod', replyOf(a, forged, 7, 28)),
    'the other transport': (pods) => {
      pods.accept(1, { sequence: 1000 });
      pods.reply(1, a, forged, 7, { over: 'TCP' });
    },
    'another pod': (pods) => pods.reply(1, a, forged, 7, { interfaceIndex: 8 }),
    'the pod itself, as if it were a server': (pods) => pods.send(1, 'from-pod', replyOf(a, forged, 7)),
    'too late': (pods) => pods.reply(11, a, forged),
  };
  for (const [name, forge] of Object.entries(cases)) {
    const { pods } = scene();
    pods.watch(8);
    pods.report(0);
    if (name !== 'no query') pods.ask(0.5, a);
    forge(pods);
    const answers = pods.report(11).filter((line) => line.includes('198.51.100.20'));
    t.same(answers, [], name);
  }
});

t.test('a reply may come from the endpoint behind the Service address that was asked', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.reply(1, a, ['a.example 9 192.0.2.1'], 7, { server: '10.0.2.3' });
  t.same(pods.report(1), ['7 a.example 192.0.2.1 9 s at 1 from 10.0.2.3 for 10.96.0.10 UDP']);
});

t.test('a query that was sent again to a second server may be answered by either', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.ask(6, a, 7, { server: '169.254.20.10' });
  pods.reply(6.1, a, ['a.example 9 192.0.2.1'], 7, { server: '169.254.20.10' });
  t.same(pods.report(7), ['7 a.example 192.0.2.1 9 s at 6.1 from 169.254.20.10 UDP']);
});

t.test('of two different replies to one query, neither is believed', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.reply(1.1, a, ['a.example 9 192.0.2.1']);
  pods.reply(1.2, a, ['a.example 9 198.51.100.20']);
  t.same(pods.report(1.3), ['7 unanswered a.example at 1'], 'both before the report');
  pods.ask(2, a, 8);
  pods.reply(2.1, a, ['a.example 9 192.0.2.1'], 8);
  t.same(pods.report(2.2), ['7 a.example 192.0.2.1 9 s at 2.1 from 10.96.0.10 UDP'], 'another query');
});

t.test('a believed answer is withdrawn if a different reply follows, and both stay withdrawn', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.reply(1.1, a, ['a.example 9 192.0.2.1']);
  pods.report(1.2);
  pods.reply(1.3, a, ['a.example 9 198.51.100.20']);
  t.same(pods.report(1.4), ['7 withdrawn a.example 192.0.2.1 at 1.1 from 10.96.0.10', '7 unanswered a.example at 1']);
  pods.ask(1.5, a);
  pods.reply(1.6, a, ['a.example 9 192.0.2.1']);
  pods.reply(1.7, a, ['a.example 9 198.51.100.20']);
  t.same(pods.report(1.8), []);
});

t.test('the same addresses in another order are the same reply, also to a query that was sent twice', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.reply(1.1, a, ['a.example 9 192.0.2.1', 'a.example 9 192.0.2.2']);
  pods.ask(1.2, a);
  pods.reply(1.3, a, ['a.example 8 192.0.2.2', 'a.example 8 192.0.2.1']);
  t.equal(pods.report(1.4).length, 2);
});

t.test('of two different replies to a query that was sent twice, neither is believed', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.ask(1.1, a);
  pods.reply(1.2, a, ['a.example 300 198.51.100.66']);
  pods.reply(1.3, a, ['a.example 300 192.0.2.1']);
  t.same(pods.report(2), ['7 unanswered a.example at 1']);
});

t.test('a failure of the server is no other reply if the query was sent again, and one if it was not', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.refuse(1.1, a, 7, serverFailure);
  pods.ask(1.2, a);
  pods.reply(1.3, a, ['a.example 9 192.0.2.1']);
  t.same(pods.report(2), ['7 a.example 192.0.2.1 9 s at 1.3 from 10.96.0.10 UDP']);
  pods.ask(3, 'b.example');
  pods.reply(3.1, 'b.example', ['b.example 9 198.51.100.66']);
  pods.refuse(3.2, 'b.example', 7, serverFailure);
  t.same(pods.report(4), ['7 unanswered b.example at 3']);
  pods.ask(5, 'c.example');
  pods.ask(5.1, 'c.example');
  pods.reply(5.2, 'c.example', ['c.example 9 198.51.100.66']);
  pods.refuse(5.3, 'c.example');
  t.same(pods.report(6), ['7 unanswered c.example at 5'], 'no such name');
});
const serverFailure = 2;

t.test('an answer that another query gave too is not withdrawn', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.reply(1.1, a, ['a.example 9 192.0.2.1'], 1);
  pods.ask(2, a, 2);
  pods.reply(2.1, a, ['a.example 9 192.0.2.1'], 2);
  pods.report(3);
  pods.reply(3.1, a, ['a.example 9 198.51.100.20'], 1);
  t.same(pods.report(4), ['7 unanswered a.example at 1']);
});

t.test('an answer that several queries gave is withdrawn when each of them gets a different reply', async (t) => {
  const withdrawn = '7 withdrawn a.example 198.51.100.66 at 1.1 from 10.96.0.10';
  const ids = [7, 8, 9];
  // A different time to live makes the second answer worth a report of its own.
  for (const ttls of [
    [300, 300, 300],
    [60, 300, 3600],
  ]) {
    for (const order of [ids, ids.toReversed()]) {
      for (const isReported of [true, false]) {
        const { pods } = scene();
        for (const id of ids) pods.ask(1, a, id);
        for (const [i, id] of ids.entries()) {
          pods.reply(1.1 + i / 100, a, [`a.example ${ttls[i]} 198.51.100.66`], id);
          if (isReported) pods.report(1.1 + i / 100);
        }
        const lines = [];
        for (const id of order) {
          pods.reply(1.2, a, ['a.example 300 192.0.2.1'], id);
          if (isReported) lines.push(...pods.report(1.3));
        }
        lines.push(...pods.report(1.3));
        const expected = [...(isReported ? [withdrawn] : []), '7 unanswered a.example at 1'].sort();
        t.same(lines.sort(), expected, `${ttls} ${order} ${isReported}`);
      }
    }
  }
});

t.test('an answer stays if a query that gave it got no different reply in its time', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.reply(1.1, a, ['a.example 300 192.0.2.1'], 1);
  pods.report(2);
  pods.ask(10, a, 2);
  pods.reply(10.1, a, ['a.example 300 192.0.2.1'], 2);
  pods.report(12);
  pods.reply(12.1, a, ['a.example 300 198.51.100.20'], 2);
  t.same(pods.report(13), ['7 unanswered a.example at 10']);
});

t.test('a longer time to live that a second query gives is reported with the time of the first answer', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.reply(1, a, ['a.example 60 192.0.2.1'], 1);
  pods.report(2);
  pods.ask(3, a, 2);
  pods.reply(3, a, ['a.example 300 192.0.2.1'], 2);
  t.same(pods.report(4), ['7 a.example 192.0.2.1 302 s at 1 from 10.96.0.10 UDP']);
});

t.test('an answer is reported again if the reported one covers less than half of its time to live', async (t) => {
  const { pods } = scene();
  const resolve = (at: number, ttl: number) => {
    pods.ask(at, a, at);
    pods.reply(at, a, [`a.example ${ttl} 192.0.2.1`], at);
  };
  resolve(0, 300);
  pods.report(1);
  // A DNS cache counts down, so the answer expires at the same time.
  for (let at = 10; at < 240; at += 10) resolve(at, 300 - at);
  t.same(pods.report(240), []);
  resolve(149, 300);
  t.same(pods.report(240), []);
  resolve(241, 300);
  t.same(pods.report(242), ['7 a.example 192.0.2.1 300 s at 241 from 10.96.0.10 UDP']);
});

t.test('the time to live is limited to one day, and an answer without one is not reported each time', async (t) => {
  const { pods } = scene();
  for (let at = 0; at < 20; at++) {
    pods.ask(at, a, at);
    pods.reply(at, a, ['a.example 0 192.0.2.1'], at);
  }
  pods.ask(20, 'b.example', 20);
  pods.reply(20, 'b.example', ['b.example 2000000000 192.0.2.2'], 20);
  t.match(pods.report(20), [/a\.example 192\.0\.2\.1 0 s at 0/, /b\.example 192\.0\.2\.2 86400 s/]);
});

t.test('a name that was asked for is unanswered until its reply is seen', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  t.same(pods.report(1.1), ['7 unanswered a.example at 1']);
  t.same(pods.report(1.2), []);
  pods.reply(1.3, a, ['a.example 9 192.0.2.1']);
  t.same(pods.report(1.4), ['7 a.example 192.0.2.1 9 s at 1.3 from 10.96.0.10 UDP', '7 answered a.example']);
  pods.ask(2, 'no.example', 8);
  pods.report(2.1);
  pods.refuse(2.2, 'no.example', 8);
  t.same(pods.report(2.3), ['7 answered no.example'], 'also if there is no such name');
});

t.test('a name whose query timed out stays unanswered, whatever another query gets', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.report(1.1);
  t.same(pods.report(12), [], 'timed out');
  pods.ask(13, a, 2);
  pods.reply(13, a, ['a.example 9 192.0.2.1'], 2);
  t.same(pods.report(14), ['7 a.example 192.0.2.1 9 s at 13 from 10.96.0.10 UDP']);
});

t.test('both queries of a name must be answered', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.ask(1, `AAAA ${a}`, 2);
  pods.report(1.1);
  pods.reply(1.2, a, [], 1);
  t.same(pods.report(1.3), []);
  pods.send(1.4, 'to-pod', replyOf(a, ['a.example 9 2001:db8::1'], 2, 28));
  t.same(pods.report(1.5), ['7 a.example 2001:db8::1 9 s at 1.4 from 10.96.0.10 UDP', '7 answered a.example']);
});

t.test('of a reply that is cut, the whole answers are believed, and the name stays unanswered', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  const whole = replyOf(a, ['a.example 9 192.0.2.1', 'a.example 9 192.0.2.2'], 7);
  pods.send(1, 'to-pod', whole.subarray(0, -1));
  t.same(pods.report(2), ['7 a.example 192.0.2.1 9 s at 1 from 10.96.0.10 UDP', '7 unanswered a.example at 1']);
});

t.test('queries that cannot be read make the rest of the watch uncertain', async (t) => {
  const query = dnsQuery(a, 7);
  const cases: Record<string, (pods: DnsPods) => void> = {
    'a datagram that is too short': (pods) => pods.send(3, 'from-pod', query.subarray(0, 8)),
    'a question that is cut': (pods) => pods.send(3, 'from-pod', query.subarray(0, 20)),
    'a segment with the length only': (pods) =>
      pods.segment(3, 'from-pod', withLength(query).subarray(0, 2), { over: 'TCP' }),
    'a segment that ends within a query': (pods) =>
      pods.segment(3, 'from-pod', join(withLength(query), withLength(query).subarray(0, 20)), { over: 'TCP' }),
    'queries that the source missed': (pods) => pods.missed(7, 3),
  };
  for (const [name, send] of Object.entries(cases)) {
    const { pods } = scene();
    send(pods);
    t.ok(pods.report(4).includes('7 watched from 0 until 3'), name);
  }
});

t.test(
  'what is not a query for an address does not: another class, another opcode, a name with a control character',
  async (t) => {
    const { pods } = scene();
    const query = dnsQuery(a, 7);
    const changed = (at: number, value: number) => {
      const bytes = Buffer.from(query);
      bytes[at] = value;
      return bytes;
    };
    for (const bytes of [changed(query.length - 1, 3), changed(2, 0x28), changed(13, 7)])
      pods.send(1, 'from-pod', bytes);
    t.same(pods.report(2), []);
  },
);

t.test('over TCP, replies count in segments that begin with a message', async (t) => {
  const { pods } = scene();
  const tcp = { over: 'TCP', sequence: 1001 } as const;
  pods.accept(1, { sequence: 1000 });
  pods.ask(1, a, 1, tcp);
  pods.ask(1, 'b.example', 2, tcp);
  const replies = join(
    withLength(replyOf(a, ['a.example 9 192.0.2.1'], 1)),
    withLength(replyOf('b.example', ['b.example 9 192.0.2.2'], 2)),
  );
  pods.segment(1.1, 'to-pod', replies, tcp);
  t.same(pods.report(2), [
    '7 a.example 192.0.2.1 9 s at 1.1 from 10.96.0.10 TCP',
    '7 b.example 192.0.2.2 9 s at 1.1 from 10.96.0.10 TCP',
  ]);
});

t.test('a part of a longer TCP reply does not pass for a message of its own', async (t) => {
  const tcp = { over: 'TCP' } as const;
  const forged = withLength(replyOf(a, ['a.example 9 198.51.100.20'], 7));
  const long = withLength(replyOf('txt.example', ['txt.example 9 192.0.2.9'], 8));
  const whole = join(long, forged);
  whole.writeUInt16BE(whole.length - 2, 0);
  const split = long.length;
  const { pods } = scene();
  pods.accept(1, { sequence: 1000 });
  pods.ask(1, 'txt.example', 8, tcp);
  pods.ask(1, a, 7, tcp);
  pods.segment(1.1, 'to-pod', whole.subarray(0, split), { ...tcp, sequence: 1001 });
  pods.segment(1.2, 'to-pod', whole.subarray(split), { ...tcp, sequence: 1001 + split });
  t.same(pods.report(2), ['7 unanswered txt.example at 1', '7 unanswered a.example at 1']);
  pods.segment(2.1, 'to-pod', forged, { ...tcp, sequence: 1001 + whole.length });
  t.match(pods.report(3), [/a\.example 198\.51\.100\.20/, /answered/], 'the next message after it does count');
});

t.test('a TCP segment counts only if the beginning of the connection was seen', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 7, { over: 'TCP' });
  pods.reply(1.1, a, ['a.example 9 198.51.100.20'], 7, { over: 'TCP' });
  t.same(pods.report(2), ['7 unanswered a.example at 1']);
});

t.test('a reply that the pod itself sent with the server’s address is not believed, whenever it sent it', async (t) => {
  const forged = ['a.example 9 198.51.100.20'];
  const cases: Record<string, (pods: DnsPods) => void> = {
    'after the query': (pods) => {
      pods.ask(1, a);
      pods.forge(1.1, a, forged);
      pods.reply(1.2, a, forged);
    },
    'before the query': (pods) => {
      pods.forge(0.9, a, forged);
      pods.ask(1, a);
      pods.reply(1.2, a, forged);
    },
    'before the query is known, and reported later': (pods) => {
      pods.ask(1, a);
      pods.reply(1.2, a, forged);
      pods.forge(1.1, a, forged);
    },
    'over TCP': (pods) => {
      pods.accept(1, { sequence: 1000 });
      pods.ask(1, a, 7, { over: 'TCP' });
      pods.forge(1.1, a, forged, 7, { over: 'TCP' });
      pods.reply(1.2, a, forged, 7, { over: 'TCP' });
    },
    'among many that hide it': (pods) => {
      pods.ask(0.5, 'x.example', 8);
      pods.forge(0.9, a, forged);
      for (let i = 0; i < 500; i++) pods.forge(1, a, forged, 1000 + i);
      pods.ask(1.1, a);
      pods.reply(1.2, a, forged);
    },
    'among many to other addresses that hide it': (pods) => {
      pods.forge(0.9, a, forged);
      for (let i = 0; i < 500; i++) pods.forge(1, a, forged, 1000 + i, { client: '10.0.9.9' });
      pods.ask(1.1, a);
      pods.reply(1.2, a, forged);
    },
  };
  for (const [name, send] of Object.entries(cases)) {
    const { pods } = scene();
    send(pods);
    const lines = pods.report(2);
    t.notOk(
      lines.some((line) => line.includes('198.51.100.20')),
      name,
    );
    t.ok(lines.includes('7 unanswered a.example at 1') || lines.includes('7 unanswered a.example at 1.1'), name);
  }
});

t.test('while a pod sends from too many addresses its replies are not believed, and later they are', async (t) => {
  const { pods } = scene();
  const resolve = (at: number, id: number, client: string) => {
    pods.ask(at, a, id, { client });
    pods.reply(at + 0.1, a, ['a.example 3600 192.0.2.1'], id, { client });
  };
  for (let i = 0; i < 64; i++) pods.ask(1, `n${i}.example`, i, { client: `10.0.1.${i + 2}` });
  resolve(2, 100, '10.0.9.9');
  const isBelieved = (line: string) => line.startsWith('7 a.example 192.0.2.1');
  t.same(pods.report(3).filter(isBelieved), []);
  resolve(31, 101, '10.0.1.2');
  t.same(pods.report(31.5).filter(isBelieved), [], 'for 30 s');
  resolve(40, 102, '10.0.1.2');
  t.same(pods.report(41).filter(isBelieved), ['7 a.example 192.0.2.1 3600 s at 40.1 from 10.96.0.10 UDP']);
});

t.test('a pod that sent itself too many replies is believed again when none of them can come back', async (t) => {
  const { pods } = scene();
  pods.ask(1, 'x.example', 1);
  for (let i = 0; i < 500; i++) pods.forge(2, a, ['a.example 9 198.51.100.20'], 1000 + i);
  const resolve = (at: number, id: number) => {
    pods.ask(at, a, id);
    pods.reply(at, a, ['a.example 9 192.0.2.1'], id);
    return pods.report(at + 0.1).filter((line) => line.includes('192.0.2.1'));
  };
  t.same(resolve(31, 2), []);
  t.same(resolve(33, 3), ['7 a.example 192.0.2.1 9 s at 33 from 10.96.0.10 UDP']);
});

t.test('a pod that is a DNS server for others may resolve names itself', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  for (let i = 0; i < 1000; i++) pods.forge(1.1, 'x.example', ['x.example 9 192.0.2.9'], i, { client: '10.0.9.9' });
  pods.reply(1.2, a, ['a.example 9 192.0.2.1'], 1);
  t.same(pods.report(2), ['7 a.example 192.0.2.1 9 s at 1.2 from 10.96.0.10 UDP']);
});

t.test('a reply with another id than the forged one is believed', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.forge(1.1, a, ['a.example 9 198.51.100.20'], 8);
  pods.reply(1.2, a, ['a.example 9 198.51.100.20'], 8);
  pods.reply(1.3, a, ['a.example 9 192.0.2.1']);
  t.same(pods.report(2), ['7 a.example 192.0.2.1 9 s at 1.3 from 10.96.0.10 UDP']);
});

t.test('where the source may have missed forged replies, the answers of that time are not believed', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.reply(1.1, a, ['a.example 9 192.0.2.1'], 1);
  pods.ask(2, 'b.example', 2);
  pods.reply(2.1, 'b.example', ['b.example 9 192.0.2.2'], 2);
  pods.missed(7, 1.5, 'queries-and-forgeries');
  t.same(pods.report(3), ['7 a.example 192.0.2.1 9 s at 1.1 from 10.96.0.10 UDP', '7 watched from 0 until 1.5']);
});

t.test('an answer of that time that was reported already is withdrawn', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 1);
  pods.reply(1.1, a, ['a.example 9 192.0.2.1'], 1);
  pods.ask(2, 'b.example', 2);
  pods.reply(2.1, 'b.example', ['b.example 9 192.0.2.2'], 2);
  pods.report(2.2);
  pods.missed(7, 1.5, 'queries-and-forgeries');
  t.same(pods.report(3), ['7 withdrawn b.example 192.0.2.2 at 2.1 from 10.96.0.10', '7 watched from 0 until 1.5']);
});

t.test('an interface that existed before is reported as such, and one that is watched again as missed', async (t) => {
  const { answers, pods } = scene();
  pods.watch(8, false, 2);
  t.same(pods.report(3), ['8 watched from 2, existed before']);
  pods.watch(7, false, 4);
  t.same(pods.report(5), ['7 watched from 0 until 0']);
  answers.receive({ type: 'forgotten', interfaceIndex: 8 });
  pods.report(6);
  pods.ask(7, a, 7, { interfaceIndex: 8 });
  t.same(pods.report(8), [], 'nothing is kept for an interface that is gone');
});

t.test('one pod that floods queries does not displace the queries of another', async (t) => {
  const { pods } = scene();
  pods.watch(8);
  pods.report(0);
  pods.ask(1, a);
  for (let i = 0; i < 20_000; i++) pods.ask(1, `n${i}.example`, i, { interfaceIndex: 8 });
  pods.reply(1.5, a, ['a.example 9 192.0.2.1']);
  t.same(pods.report(2), ['7 a.example 192.0.2.1 9 s at 1.5 from 10.96.0.10 UDP', ...pods8Flooded]);
});
/** 64 unanswered names are reported; after that nothing is certain about the flooder. */
const pods8Flooded = [
  ...Array.from({ length: 64 }, (_, i) => `8 unanswered n${i}.example at 1`),
  '8 watched from 0 until 1',
];

t.test('one pod that resolves many names does not displace the answers of another', async (t) => {
  const { pods } = scene(100);
  pods.watch(8);
  pods.report(0);
  pods.ask(1, a);
  pods.reply(1, a, ['a.example 300 192.0.2.1']);
  for (let i = 0; i < 1000; i++) {
    const exchange = { interfaceIndex: 8 };
    pods.ask(1, `n${i}.example`, i, exchange);
    pods.reply(1, `n${i}.example`, [`n${i}.example 300 10.9.${i >> 8}.${i & 255}`], i, exchange);
  }
  const lines = pods.report(2, 50);
  t.ok(lines.includes('7 a.example 192.0.2.1 300 s at 1 from 10.96.0.10 UDP'));
  t.equal(lines.filter((line) => line.startsWith('8 n')).length, 49);
  t.ok(lines.includes('8 watched from 0 until 0'), 'some of its answers are gone');
  t.notOk(lines.some((line) => line.startsWith('7 watched')));
});

t.test('answers above the limit of a report follow later; until then the pod is uncertain', async (t) => {
  const { pods } = scene();
  pods.ask(1, a);
  pods.reply(1, a, ['a.example 9 192.0.2.1', 'a.example 9 192.0.2.2', 'a.example 9 192.0.2.3']);
  t.match(pods.report(2, 2), [/192\.0\.2\.1/, /192\.0\.2\.2/, '7 watched from 0 until 1']);
  t.match(pods.report(3, 2), [/192\.0\.2\.3/]);
});

t.test('after a reconnect everything that is valid is sent again, the watch last', async (t) => {
  const { answers, pods } = scene();
  const resolve = (at: number, name: string, id: number, ttl: number) => {
    pods.ask(at, name, id);
    pods.reply(at, name, [`${name} ${ttl} 192.0.2.${id}`], id);
  };
  resolve(1, a, 1, 10);
  resolve(1, 'b.example', 2, 3600);
  pods.ask(1, 'c.example', 3);
  pods.report(2);
  resolve(100, 'd.example', 4, 3600);
  answers.resend(t0 + 100 * second);
  t.match(pods.report(100, 1), [/7 d\.example/, '7 unanswered c.example at 1']);
  t.match(pods.report(101, 100), [/7 b\.example/, '7 watched from 0'], 'after the answers; a.example has expired');
});

t.test('the server’s address is not compared by its text', async (t) => {
  const { pods } = scene();
  pods.ask(1, a, 7, { client: 'fd00::2', server: 'fd00:96::a' });
  pods.reply(1, a, ['a.example 9 192.0.2.1'], 7, { client: 'FD00:0::2', server: 'fd00:0096::000a' });
  t.same(pods.report(2), ['7 a.example 192.0.2.1 9 s at 1 from fd00:96::a UDP']);
  t.equal(clusterDns, '10.96.0.10');
});
