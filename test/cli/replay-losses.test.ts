// What `waybill replay` cannot put into a connection is a line on stderr with what to do, and makes the exit code 2.
import t from 'tap';
import { pcapFile } from '../scene/captures.ts';
import { ethernet, ip4, join, middle, tcp, udp } from '../scene/packets.ts';
import { second, t0, web } from '../scene/records.ts';
import { all, replayScene, run } from '../scene/replay.ts';

const broken = { frame: Buffer.from(all[0]!.frame) };
broken.frame[14] = 0x41;
const lateFragment = { frame: ethernet(ip4(web, '10.0.2.3', middle(17), { id: 9, offset: 800 })) };
const unknownLink = pcapFile([{ frame: Buffer.alloc(60) }], { linkType: 147 });
const found = 'connections: denied 1, undeclared 1';

const losses = {
  corrupt: {
    capture: pcapFile([broken, ...all]),
    line:
      'capture-packets-lost: corrupt: 1 of 6 packets is in no connection: the headers contradict each other or end too early; ' +
      'capture whole packets (tcpdump -s 0), or accept the loss with --allow-loss',
  },
  'fragment-without-first': {
    capture: pcapFile([...all, lateFragment]),
    line:
      'capture-packets-lost: fragment-without-first: 1 of 6 packets is in no connection: the first fragment is missing, so the ' +
      'ports are not known; capture without a filter on ports, and from before the traffic, or accept the loss with --allow-loss',
  },
};

for (const [reason, { capture, line }] of Object.entries(losses)) {
  t.test(`lost packets (${reason}) are one line, and the exit code is 2 unless --allow-loss accepts it`, async (t) => {
    const { args } = replayScene(t, capture);
    const err = [line, `6 packets (not in connections: ${reason} 1); ${found}`];
    const [strict, failing, allowed, allowedFailing] = await Promise.all([
      run(...args),
      run(...args, '--fail-on', 'low'),
      run(...args, '--allow-loss'),
      run(...args, '--allow-loss', '--fail-on', 'low'),
    ]);
    for (const ran of [strict, failing, allowed, allowedFailing]) t.same(ran.err, err);
    t.same(
      [strict, failing, allowed, allowedFailing].map(({ code }) => code),
      [2, 2, 0, 1],
    );
  });
}

t.test('--allow-loss accepts packets of another link type, and no file that cannot be read', async (t) => {
  const { args, file } = replayScene(t);
  const odd = file('odd.pcap', unknownLink);
  t.equal((await run(odd, ...args)).code, 2);
  const allowed = await run(odd, ...args, '--allow-loss');
  t.equal(allowed.code, 0);
  t.match(allowed.err[0], /^capture-link-type-unknown: /);
  t.equal((await run(file('cut.pcap', pcapFile(all).subarray(0, -5)), ...args, '--allow-loss')).code, 2);
  t.equal((await run(file('notes.txt', 'no capture'), ...args, '--allow-loss')).code, 2);
});

t.test('a clock that was set, and packets with a wrong time, are one line, and change no exit code', async (t) => {
  const at = (seconds: number, port: number) => ({
    frame: ethernet(ip4('10.0.2.3', '203.0.113.7', udp(port, 443))),
    timeUs: t0 + seconds * second,
  });
  const { args } = replayScene(t, pcapFile([at(0, 1), at(9_999_999, 2), at(1, 3), at(-500, 4), at(-499, 5)]));
  const ran = await run(...args);
  t.same(ran.err, [
    'capture-clock-set: times of the packets: the clock was set back 1 time, and 1 packet got the time of the packet before, ' +
      'because its own is far off; compare times in the findings with care',
    '5 packets; connections: undeclared 5',
  ]);
  t.equal(ran.code, 0);
});

t.test('an IPv6 packet with an IPv4-mapped address is ignored, and no finding names the IPv4 pod', async (t) => {
  const { bytes } = ip4(web, '10.0.2.3', tcp(40_000, 5432));
  const mapped = (at: number) => join(Buffer.alloc(10), Buffer.from([0xff, 0xff]), bytes.subarray(at, at + 4));
  const head = Buffer.from([0x60, 0, 0, 0, 0, 20, 6, 64]);
  const frame = ethernet({ etherType: 0x86dd, bytes: join(head, mapped(12), mapped(16), bytes.subarray(20)) });
  const { args } = replayScene(t, pcapFile([{ frame }]));
  const ran = await run(...args, '-o', 'jsonl');
  t.equal(ran.out, '');
  t.same(ran.err, ['1 packets (not in connections: mapped-address 1); connections: none']);
  t.equal(ran.code, 0);
});
