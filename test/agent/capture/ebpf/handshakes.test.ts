// The program in the kernel and the decoder in TypeScript decide alike which connection a SYN belongs to, whether the packets
// are in one interval or in several.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { Fragments } from '../../../../agent/capture/decode/fragments.ts';
import { decodeFrame } from '../../../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { Packet } from '../../../../agent/capture/decode/packet.ts';
import { FlowTable } from '../../../../agent/capture/flows/flow-table.ts';
import { TCP } from '../../../../model/protocol.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { ethernet, ip4, tcp } from '../../../scene/packets.ts';
import { db, t0, web } from '../../../scene/records.ts';
import type { Round } from './exchange.ts';

const script = new URL('exchange.ts', import.meta.url).pathname;

/** A packet of web (the pod) or of db. */
type Step = [from: 'web' | 'db', flags: string, sequence?: number, acknowledged?: number];

const opening: Step[] = [
  ['web', 'S', 100],
  ['db', 'SA', 900, 101],
  ['web', 'A', 101, 901],
];
const data: Step[] = [
  ['web', 'PA', 101, 901],
  ['db', 'PA', 901, 102],
];
const closing: Step[] = [
  ['web', 'FA', 102, 902],
  ['db', 'FA', 902, 103],
  ['web', 'A', 103, 903],
];

const cases: Record<string, Step[]> = {
  'a connection': [...opening, ...data, ...closing],
  'a split handshake': [['web', 'S', 100], ['db', 'S', 900], ['web', 'SA', 100, 901], ['db', 'A', 901, 101], ...data],
  'a split handshake after an acknowledgement': [
    ['web', 'S', 100],
    ['db', 'A', 900, 101],
    ['db', 'S', 900],
    ['web', 'SA', 100, 901],
    ...data,
  ],
  'a simultaneous open': [
    ['web', 'S', 100],
    ['db', 'S', 900],
    ['web', 'SA', 100, 901],
    ['db', 'SA', 900, 101],
    ...data,
  ],
  'a simultaneous open of the other end': [
    ['db', 'S', 900],
    ['web', 'S', 100],
    ['db', 'SA', 900, 101],
    ['web', 'SA', 100, 901],
    ...data,
  ],
  'a SYN of both ends without an answer': [
    ['web', 'S', 100],
    ['db', 'S', 900],
    ['web', 'S', 100],
  ],
  'the same number again after FIN of both ends': [...opening, ...closing, ...opening, ...data],
  'the same number again after a reset': [...opening, ['db', 'R', 901], ...opening, ...data],
  'a refused SYN, repeated with the same number': [
    ['web', 'S', 100],
    ['db', 'RA', 0, 101],
    ['web', 'S', 100],
    ['db', 'RA', 0, 101],
  ],
  'the other end opens after FIN of both ends': [
    ...[...opening, ...closing],
    ...([
      ['db', 'S', 5],
      ['web', 'SA', 77, 6],
      ['db', 'A', 6, 78],
    ] satisfies Step[]),
  ],
  'a SYN of the responder on a live connection': [...opening, ['db', 'S', 5], ['web', 'A', 101, 901], ...data],
  'a SYN of the initiator that is not accepted': [...opening, ['web', 'S', 5], ['db', 'A', 901, 101], ...data],
  'a SYN of the initiator that is accepted': [...opening, ['web', 'S', 5], ['db', 'SA', 77, 6], ['web', 'A', 6, 78]],
  'a SYN of the responder that is accepted': [...opening, ['db', 'S', 5], ['web', 'SA', 77, 6], ['db', 'A', 6, 78]],
  'a reset that is ignored, and a SYN after it': [
    ...opening,
    ...([
      ['db', 'R', 5],
      ['db', 'S', 5],
      ['web', 'A', 101, 901],
    ] satisfies Step[]),
    ...data,
  ],
  'a FIN of each end, of which one is ignored, and a SYN after it': [
    ...opening,
    ...([
      ['web', 'FA', 101, 901],
      ['db', 'FA', 5, 7],
      ['db', 'S', 5],
      ['web', 'A', 102, 901],
      ['db', 'PA', 901, 102],
    ] satisfies Step[]),
  ],
  'only a SYN-ACK': [['db', 'SA', 900, 101], ...data],
  'a SYN-ACK that is refused': [
    ['db', 'SA', 900, 101],
    ['web', 'R', 101],
  ],
  'mid-stream, a SYN that is not accepted': [...data, ['db', 'S', 5], ['web', 'A', 101, 901], ...data],
};

const lie: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('web' as const, 'db' as const, 'db' as const),
  fc.constantFrom('S', 'S', 'S', 'SA', 'SA', 'A', 'PA', 'R', 'RA', 'FA'),
  fc.constantFrom(100, 101, 900, 901, 5),
  fc.constantFrom(101, 901, 6),
);
const lies = fc.sample(fc.array(lie, { minLength: 1, maxLength: 10 }), { numRuns: 400, seed: 20_261_128 });

const firstPort = 20_000;

/** The nth packets of all sequences are one round. Each sequence has its own port. */
function roundsOf(sequences: Step[][], drained: (round: number) => boolean): Round[] {
  const length = Math.max(...sequences.map((steps) => steps.length));
  return Array.from({ length }, (_, at) => ({
    frames: sequences.flatMap((steps, n): Round['frames'] =>
      steps[at] === undefined ? [] : [frameOf(steps[at], firstPort + n)],
    ),
    drained: drained(at),
  }));
}

function frameOf(
  [from, flags, sequence = 0, acknowledged = 0]: Step,
  port: number,
): [from: 'pod' | 'host', hex: string] {
  const numbers = { sequence, acknowledged };
  const content =
    from === 'web' ? ip4(web, db, tcp(port, 80, flags, numbers)) : ip4(db, web, tcp(80, port, flags, numbers));
  return [from === 'web' ? 'pod' : 'host', ethernet(content).toString('hex')];
}

function inKernel(t: Test, source: string, rounds: Round[]): ConnectionRecord[] {
  const file = join(t.testdir({}), 'rounds.json');
  writeFileSync(file, JSON.stringify(rounds));
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const out = execFileSync('unshare', [unshare, '--kill-child', process.execPath, script, source, file], {
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(out.toString()) as ConnectionRecord[];
}

function inTypeScript(rounds: Round[]): ConnectionRecord[] {
  const accounting = new PacketAccounting();
  const table = new FlowTable({ maxConnections: 10_000, reportEveryUs: 1 }, accounting);
  const [packet, fragments] = [new Packet('opaque'), new Fragments()];
  const records: ConnectionRecord[] = [];
  let us = t0;
  for (const { frames, drained } of rounds) {
    for (const [from, hex] of frames) {
      const frame = Buffer.from(hex, 'hex');
      decodeFrame(linkTypes.ethernet, frame, 0, frame.length, frame.length, fragments, packet);
      table.add(packet, 1, from === 'pod' ? 'from-pod' : 'to-pod', us++);
    }
    if (drained) table.drain(us++, (record) => records.push(record));
  }
  table.forget(1);
  table.drain(us, (record) => records.push(record));
  return records;
}

/** The connections of each port in the order of their beginning, without times. */
function connectionsOf(records: readonly ConnectionRecord[]): Record<string, string[]> {
  const ofPort = Object.groupBy(
    records.filter(({ protocol }) => protocol === TCP),
    ({ initiatorPort, responderPort }) => Math.max(initiatorPort, responderPort) - firstPort,
  );
  return Object.fromEntries(
    Object.entries(ofPort).map(([port, ofThis]) => {
      const connections = Map.groupBy(ofThis!, ({ beganUs }) => beganUs);
      const ordered = [...connections].sort(([a], [b]) => a - b);
      return [port, ordered.map(([, intervals]) => essenceOf(intervals)).sort()];
    }),
  );
}

function essenceOf(intervals: readonly ConnectionRecord[]): string {
  const last = intervals.at(-1)!;
  const sum = (value: (record: ConnectionRecord) => number) => intervals.reduce((total, one) => total + value(one), 0);
  const flags = (value: (record: ConnectionRecord) => number) => intervals.reduce((or, one) => or | value(one), 0);
  return [
    `${last.initiator} by ${last.initiatorBy}, ${last.point}, number ${last.isn}${last.bothSentSyn ? ', both' : ''}`,
    `${last.answered ? 'answered' : 'unanswered'}, retries ${sum((one) => one.synRetries)}`,
    `packets ${sum((one) => one.packets.forward)}/${sum((one) => one.packets.reverse)}`,
    `flags ${flags((one) => one.tcpFlags.forward)}/${flags((one) => one.tcpFlags.reverse)}`,
  ].join(', ');
}

function withoutCounts(connections: string[] | undefined): string[] | undefined {
  return connections?.map((one) => one.replace(/, packets.*/, ''));
}

const names = Object.keys(cases);
const acceptedLater = 'a SYN of the responder that is accepted';
for (const source of ['ebpf', 'tap']) {
  t.test(
    `${source}: in one interval, each case has the connections that the decoder in TypeScript finds`,
    async (t) => {
      const rounds = roundsOf(Object.values(cases), () => false);
      const [found, expected] = [connectionsOf(inKernel(t, source, rounds)), connectionsOf(inTypeScript(rounds))];
      for (const [n, name] of names.entries()) {
        // The kernel begins an interval with each SYN, so it counts this one in the connection that it began.
        const compared = name === acceptedLater ? withoutCounts : (connections: string[] | undefined) => connections;
        t.same(compared(found[n]), compared(expected[n]), name);
      }
    },
  );

  t.test(`${source}: in an interval for each packet, each case and each random sequence has them`, async (t) => {
    const rounds = roundsOf([...Object.values(cases), ...lies], () => true);
    const [found, expected] = [connectionsOf(inKernel(t, source, rounds)), connectionsOf(inTypeScript(rounds))];
    for (const [n, name] of names.entries()) t.same(found[n], expected[n], name);
    for (const [n, steps] of lies.entries()) {
      const at = names.length + n;
      t.same(found[at], expected[at], JSON.stringify(steps));
    }
  });
}

t.test('the cases have the expected connections', async (t) => {
  const count = (name: string, drained: boolean) =>
    connectionsOf(inTypeScript(roundsOf([cases[name]!], () => drained)))[0]!.length;
  const two = [
    ...['the same number again after FIN of both ends', 'the same number again after a reset'],
    ...['a refused SYN, repeated with the same number', 'the other end opens after FIN of both ends'],
    ...['a SYN of the initiator that is accepted', 'a SYN of the responder that is accepted'],
  ];
  for (const name of names) t.equal(count(name, false), two.includes(name) ? 2 : 1, name);
});
