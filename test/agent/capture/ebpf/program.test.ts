// The program changes no traffic: its source returns only harmless values and calls only harmless helpers, and the compiled
// object stores nothing into a packet or its context. The structures that user space reads match layout.ts.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  counters,
  dnsEvent,
  dnsKind,
  dnsRingBytes,
  dnsShare,
  flowEvent,
  mark,
  missedEvents,
  row,
  slotBytes,
  slots,
  translationEvent,
} from '../../../../agent/capture/ebpf/layout.ts';
import { podIsLowInKey } from '../../../../agent/capture/flows/flow-columns.ts';
import { storesOutside } from './stores.ts';

const path = new URL('../../../../agent/capture/ebpf/flows.bpf.c', import.meta.url).pathname;
const source = readFileSync(path, 'utf8');
const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*/g, '');

/** The compiler options come from setup/ebpf.sh. */
const script = readFileSync(new URL('../../../../setup/ebpf.sh', import.meta.url), 'utf8');
const multiarch = execFileSync('sh', ['-c', 'dpkg-architecture -q DEB_HOST_MULTIARCH']).toString().trim();
const clang = [
  .../^ {2}clang (.*) "-I\/usr\/include\/\$multiarch"/m.exec(script)![1]!.split(' '),
  `-I/usr/include/${multiarch}`,
];

/** Helpers that read, count and return times. None of them alters, redirects, clones or drops a packet. */
const harmless = [
  'bpf_map_lookup_elem',
  'bpf_map_update_elem',
  'bpf_skb_load_bytes',
  'bpf_ringbuf_reserve',
  'bpf_ringbuf_submit',
  'bpf_ringbuf_output',
  'bpf_ringbuf_query',
  'bpf_ktime_get_ns',
  'bpf_ktime_get_coarse_ns',
  'bpf_jiffies64',
  'bpf_skb_ct_lookup',
  'bpf_ct_release',
  'bpf_ntohl',
  'bpf_ntohs',
  'bpf_htonl',
  'bpf_htons',
];

t.test('TC programs always return NEXT, and socket programs always return NOTHING', async (t) => {
  t.match(source, /^#define NEXT TC_ACT_UNSPEC\b/m);
  t.match(source, /^#define NOTHING 0\b/m);
  const programs = [
    ...code.matchAll(/SEC\("(tc|socket)"\)\nint (\w+)\(const struct __sk_buff \*skb\)\n\{([\s\S]*?)\n\}/g),
  ];
  t.equal(programs.length, [...code.matchAll(/SEC\("(?:tc|socket)/g)].length, 'every program was found');
  for (const [, section, name, body] of programs) {
    const returns = [...body!.matchAll(/return ([^;]+);/g)].map((found) => found[1]);
    t.ok(returns.length > 0, `${name} returns`);
    for (const value of returns) t.equal(value, section === 'tc' ? 'NEXT' : 'NOTHING', `${name} returns ${value}`);
  }
});

t.test('no program calls a helper that could alter, redirect or drop a packet', async (t) => {
  const called = new Set([...code.matchAll(/\b(bpf_\w+)\(/g)].map((found) => found[1]!));
  for (const name of called) t.ok(harmless.includes(name), name);
});

/** Compiles the program after changing its source. */
function compile(t: Test, change: (source: string) => string, ...options: string[]): string {
  const folder = t.testdir({ 'flows.bpf.c': change(source) });
  const object = join(folder, 'flows.bpf.o');
  const file = join(folder, 'flows.bpf.c');
  execFileSync('clang', [...clang, ...options, '-c', file, '-o', object], { stdio: ['ignore', 'ignore', 'pipe'] });
  return object;
}

const takesContext = (program: string) =>
  new RegExp(`\\bint ${program}\\((?:const )?struct __sk_buff \\*skb`).test(code);

t.test('no program stores into a packet or its context', async (t) => {
  for (const options of [[], ['-DWITH_CONNTRACK']]) {
    const object = compile(t, (text) => text, ...options);
    t.same(storesOutside(object, takesContext), [], options[0] ?? 'plain');
  }
});

t.test('code that stores into a packet does not compile, or is found if it casts the const away', async (t) => {
  const inFromPod = (line: string) => (text: string) =>
    text.replace('count_packet(skb, TC_FROM_POD, 1);', `${line}\n\tcount_packet(skb, TC_FROM_POD, 1);`);
  const writing = {
    'skb->mark = 0x0800;': 'cannot assign to variable',
    'skb->priority = 6;': 'cannot assign to variable',
    '((struct __sk_buff *)skb)->mark = 1;': 'drops const qualifier',
    'struct plain_ipv4 copy; struct plain_ipv4 *ip = after_link_header(skb, TC_FROM_POD, &copy, 14); if (ip) ip->ip.ttl = 1;':
      'discards qualifiers',
  };
  for (const [line, complaint] of Object.entries(writing)) {
    t.throws(() => compile(t, inFromPod(line)), { message: new RegExp(complaint) }, line);
  }
  const casting = [
    '((volatile struct __sk_buff *)(long)skb)->mark = 0x0800;',
    'char *at = (char *)(long)skb->data; if (at + 20 <= (char *)(long)skb->data_end) *(volatile char *)(at + 14) = 1;',
  ];
  for (const line of casting) {
    const found = storesOutside(compile(t, inFromPod(line)), takesContext);
    t.equal(found.length, 1, line);
    t.match(found[0], /^from_pod: \*\(u(8|32) \*\)\(r\d \+ \d+\) = /);
  }
});

t.test('rows and events have the layout of layout.ts', async (t) => {
  const offsets: [string, string, number][] = [
    ['flow', 'key', 0],
    ['flow', 'key.ports', row.ports * 4],
    ['flow', 'key.protocol', row.protocol * 4],
    ['flow', 'key.ifindex', row.interfaceIndex * 4],
    ['flow', 'marks', row.marks * 4],
    ['flow', 'flags', row.flags * 4],
    ['flow', 'syns', row.flags * 4 + 2],
    ['flow', 'isn[0]', row.isnLow * 4],
    ['flow', 'isn[1]', row.isnHigh * 4],
    ['flow', 'packets', row.packets * 4],
    ['flow', 'bytes[0]', row.bytesFromLow * 4],
    ['flow', 'bytes[1]', row.bytesFromHigh * 4],
    ['flow', 'last[0]', row.lastFromLow * 4],
    ['flow', 'last[1]', row.lastFromHigh * 4],
    ['flow', 'first_ns', row.firstNs * 4],
    ['flow', 'synack_ns', row.synackNs * 4],
    ['flow_event', 'epoch', flowEvent.epoch],
    ['flow_event', 'flow', flowEvent.row],
    ['translation_event', 'protocol', translationEvent.protocol],
    ['translation_event', 'original_initiator', translationEvent.addresses],
    ['translation_event', 'ports', translationEvent.ports],
    ['dns_event', 'time_ns', dnsEvent.timeNs],
    ['dns_event', 'ifindex', dnsEvent.interfaceIndex],
    ['dns_event', 'protocol', dnsEvent.protocol],
    ['dns_event', 'client', dnsEvent.client],
    ['dns_event', 'server', dnsEvent.server],
    ['dns_event', 'sequence', dnsEvent.sequence],
    ['dns_event', 'client_port', dnsEvent.clientPort],
    ['dns_event', 'flags', dnsEvent.flags],
    ['dns_event', 'kind', dnsEvent.kind],
    ['dns_event', 'length', dnsEvent.length],
    ['dns_event', 'payload', dnsEvent.payload],
    ['dns_share', 'missed[1]', dnsShare.missedFromPod],
  ];
  const marks = {
    FIRST_FROM_HIGH: mark.firstFromHigh,
    POD_IS_LOW: mark.podIsLow,
    LOW_INITIATED: mark.lowInitiated,
    HIGH_INITIATED: mark.highInitiated,
    FIRST_QUOTED: mark.firstQuoted,
    UNREACHABLE: mark.unreachable,
    LOW_SENT: mark.lowSent,
    HIGH_SENT: mark.highSent,
    LOW_ISN: mark.lowIsn,
    HIGH_ISN: mark.highIsn,
    HIGH_SYN: mark.highSyn,
    LOW_SYNACK: mark.lowSynAck,
    HIGH_SYNACK: mark.highSynAck,
    KEY_POD_IS_LOW: podIsLowInKey,
  };
  const reasons = counters.map((reason, index) => [reason.toUpperCase().replaceAll('-', '_'), index] as const);
  const missed = missedEvents.map((what, index) => [`MISSED_${what.toUpperCase()}`, counters.length + index] as const);
  const asserted = [
    ...offsets.map(([type, field, offset]) => [`__builtin_offsetof(struct ${type}, ${field})`, offset] as const),
    ['sizeof(struct flow)', row.bytes] as const,
    ['sizeof(struct flow_event)', flowEvent.bytes] as const,
    ['sizeof(struct translation_event)', translationEvent.bytes] as const,
    ['sizeof(struct dns_share)', dnsShare.bytes] as const,
    ['DNS_RING', dnsRingBytes] as const,
    ['DNS_REPLY', dnsKind.reply] as const,
    ['DNS_QUERY', dnsKind.query] as const,
    ['DNS_SENT_AS_SERVER', dnsKind.sentAsServer] as const,
    ['DNS_ECHO', dnsKind.echo] as const,
    ['SLOTS', slots] as const,
    ['sizeof(struct bucket)', slots * slotBytes] as const,
    ...Object.entries(marks),
    ...reasons,
    ...missed,
    ['COUNTERS', counters.length + missedEvents.length] as const,
  ];
  const probe = asserted.map(([what, value]) => `_Static_assert(${what} == ${value}, "${what.replaceAll('"', '')}");`);
  const file = join(t.testdir({}), 'probe.c');
  writeFileSync(file, `#include "${path}"\n${probe.join('\n')}\n`);
  execFileSync('clang', [...clang, '-fsyntax-only', file]);
  t.ok(asserted.length > 40, `${asserted.length} values match`);
});
