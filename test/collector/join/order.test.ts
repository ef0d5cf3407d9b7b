// The order of records does not matter: whole streams of two agents, in any order, give the same connections and findings.
import t from 'tap';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord, RST, SYN } from '../../../model/record.ts';
import { Chance } from '../../policy/oracle/chance.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { atDestination, db, ip, record, reversed, second, t0, web } from '../../scene/records.ts';

const runs = 60;
const serviceAddress = ip('10.96.0.10');
const manifests = `${shop}---${podManifest('api', 'n1', '10.0.1.9')}---${ingressPolicy('db', 'api')}---
apiVersion: v1
kind: Service
metadata: { name: sql, namespace: shop }
spec: { clusterIP: ${serviceAddress}, clusterIPs: [${serviceAddress}], ports: [{ name: sql, port: 80, protocol: TCP }], selector: { app: db } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: sql-1, namespace: shop, labels: { kubernetes.io/service-name: sql } }
addressType: IPv4
endpoints: [{ addresses: [${db}], conditions: { ready: true } }]
ports: [{ name: sql, port: 5432, protocol: TCP }]
`;

type Result = { connections: { id: string }[]; findings: ReturnType<typeof comparableFinding>[] };
type Seen = { node: 'n1' | 'n2'; record: ConnectionRecord };

t.test('the same records in any order give the same connections and findings', async (t) => {
  for (let seed = 1; seed <= runs; seed++) {
    const chance = new Chance(seed);
    const stream = streamOf(chance);
    const expected = resultOf(stream.map((one) => [one]));
    for (let order = 0; order < 4; order++) {
      const shuffled = batchesOf(shuffle(stream, chance), chance);
      if (!t.same(resultOf(shuffled), expected, `seed ${seed}, order ${order}`)) return;
    }
  }
});

t.test('evaluations between the batches change nothing in the end', async (t) => {
  for (let seed = 1; seed <= runs; seed++) {
    const chance = new Chance(1_000 + seed);
    const stream = streamOf(chance);
    const expected = resultOf(stream.map((one) => [one]));
    const actual = resultOf(batchesOf(interleave(stream, chance), chance), chance);
    if (!t.same(actual.connections, expected.connections, `seed ${seed}`)) return;
    if (!t.same(actual.findings.map(countsOf), expected.findings.map(countsOf), `seed ${seed}`)) return;
  }
});

t.test('what the destination could not prove stays unproven, whichever side is reported first', async (t) => {
  const udp = { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 } };
  const ends = { initiatorPort: 123, responderPort: 40000 };
  const sent = record({ ...udp, ...ends, packets: { forward: 1, reverse: 0 } });
  const atDb = reversed(atDestination(record({ ...udp, ...ends, packets: { forward: 1, reverse: 0 } })));
  const unproven = { ...atDb, deliveryUnproven: true };
  for (const order of ['source first', 'destination first']) {
    const batches: Seen[] = [
      { node: 'n1', record: sent },
      { node: 'n2', record: unproven },
    ];
    const { connections, findings } = resultOf(
      (order === 'source first' ? batches : batches.reverse()).map((one) => [one]),
    );
    t.match(connections, [{ verdict: 'denied', delivered: { delivered: 'unknown', why: 'filters-changed' } }], order);
    t.match(findings, [{ kind: 'blocked', severity: 'medium' }], order);
  }
});

/** Without `chance`, nothing is evaluated before all batches have arrived. */
function resultOf(batches: readonly (readonly Seen[])[], chance?: Chance): Result {
  const scene = new Scene(manifests);
  scene.report('n1', [
    { index: 7, podUid: 'uid-web', addresses: [web] },
    { index: 8, podUid: 'uid-api', addresses: ['10.0.1.9'] },
  ]);
  scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: [db] }]);
  for (const batch of batches) {
    for (const { node, record } of batch) scene.see(node, structuredClone(record));
    if (chance !== undefined && happens(chance, 0.5)) {
      scene.nowUs += Math.round(fraction(chance) * 3 * second);
      scene.pipeline.tick(scene.nowUs);
    }
  }
  scene.nowUs = t0 + 60 * second;
  scene.pass(2 * second);
  return {
    connections: [...scene.connections.values()].map(comparableConnection).sort(compareIds),
    findings: [...scene.findings.values()].map(comparableFinding).sort(compareIds),
  };
}

function comparableConnection({ findingId, sides, group, ...rest }: Connection): { id: string } {
  return rest;
}

function comparableFinding({ id, kind, severity, connections, firstSeenUs, lastSeenUs }: Finding) {
  return { id, kind, severity, connections, firstSeenUs, lastSeenUs };
}

/** An evaluation in between, when only one side was known, may leave an earlier first time or a later last one. */
function countsOf({ id, kind, connections }: Result['findings'][number]) {
  return { id, kind, connections };
}

function compareIds(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/** Connections that reuse few ports, with all that makes their sides hard to match. */
function streamOf(chance: Chance): Seen[] {
  const stream: Seen[] = [];
  const count = chance.number(8) + 1;
  let atUs = t0;
  for (let i = 0; i < count; i++) {
    atUs += 1 + (chance.number(3) === 0 ? Math.round(fraction(chance) * 0.4 * second) : chance.number(4) * second);
    stream.push(...connectionOf(chance, atUs));
  }
  return stream;
}

function connectionOf(chance: Chance, atUs: number): Seen[] {
  const tcp = happens(chance, 0.6);
  const isn = tcp && happens(chance, 0.7) ? chance.number(3) : undefined;
  const rewritten = isn !== undefined && happens(chance, 0.1);
  const toService = tcp && happens(chance, 0.25);
  const isFromApi = happens(chance, 0.3);
  const arrives = happens(chance, 0.7);
  const answers = arrives && happens(chance, 0.7);
  const lateUs = Math.round((fraction(chance) - 0.5) * 0.1 * second);
  const base = record({
    protocol: tcp ? TCP : UDP,
    initiator: isFromApi ? ip('10.0.1.9') : web,
    initiatorPort: 40_000 + chance.number(2),
    interfaceIndex: isFromApi ? 8 : 7,
    isn,
    beganUs: atUs,
    firstUs: atUs,
    lastUs: atUs,
    tcpFlags: tcp
      ? { forward: answers ? SYN | ACK : SYN, reverse: answers ? SYN | ACK : 0 }
      : { forward: 0, reverse: 0 },
    packets: { forward: answers ? 2 : 1, reverse: answers ? 1 : 0 },
    answered: answers,
  });
  const seen: Seen[] = [];
  const original = { ...tuple(base), responder: serviceAddress, responderPort: 80 };
  const translation = toService && happens(chance, 0.5) ? { original, translated: tuple(base) } : undefined;
  const atSource = toService ? { ...base, ...original, translation } : base;
  if (happens(chance, 0.9)) seen.push(...intervalsOf(chance, 'n1', atSource));
  if (arrives) {
    const shifted = { beganUs: atUs + lateUs, firstUs: atUs + lateUs, lastUs: atUs + lateUs };
    const atDb = { ...atDestination(base), ...shifted, isn: rewritten ? isn + 7 : isn };
    const guessed = !tcp && happens(chance, 0.3) ? reversed(atDb) : atDb;
    seen.push(...intervalsOf(chance, 'n2', { ...guessed, deliveryUnproven: happens(chance, 0.2) }));
  }
  return seen;
}

/** Often there are later intervals: with the first answer, after an end that the connection ignored, or of the next agent. */
function intervalsOf(chance: Chance, node: Seen['node'], whole: ConnectionRecord): Seen[] {
  const first = happens(chance, 0.3) ? withoutAnswer(whole) : whole;
  const records = [first];
  let began: Partial<ConnectionRecord> = {};
  for (let i = 1; i <= chance.number(4); i++) {
    const us = first.firstUs + i * Math.round(0.3 * second);
    if (happens(chance, 0.1)) began = { beganUs: us, initiatorBy: 'inferred', isn: undefined };
    records.push({
      ...whole,
      ...began,
      ended: happens(chance, 0.1),
      firstUs: us,
      lastUs: us,
      tcpFlags: { forward: whole.tcpFlags.forward & ACK, reverse: 0 },
    });
  }
  const last = records.at(-1)!;
  if (happens(chance, 0.5)) last.ended = true;
  if (first.protocol === TCP && happens(chance, 0.1)) last.tcpFlags.reverse |= RST;
  return records.map((one) => ({ node, record: one }));
}

/** Only what one end sent, if the record has packets of both. */
function withoutAnswer(whole: ConnectionRecord): ConnectionRecord {
  const { packets, tcpFlags } = whole;
  if (packets.forward === 0 || packets.reverse === 0) return whole;
  return {
    ...whole,
    packets: { ...packets, reverse: 0 },
    tcpFlags: { ...tcpFlags, reverse: 0 },
    answered: false,
  };
}

function tuple({ initiator, initiatorPort, responder, responderPort }: ConnectionRecord) {
  return { initiator, initiatorPort, responder, responderPort };
}

function happens(chance: Chance, share: number): boolean {
  return fraction(chance) < share;
}

/** From 0 to 1. */
function fraction(chance: Chance): number {
  return chance.number(1_000_000) / 1_000_000;
}

function shuffle<Item>(items: readonly Item[], chance: Chance): Item[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = chance.number(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}

/** Each agent sends its records in order; one may be far behind the other. */
function interleave(stream: readonly Seen[], chance: Chance): Seen[] {
  const queues = ['n1', 'n2'].map((name) => stream.filter(({ node }) => node === name));
  const merged: Seen[] = [];
  let current = chance.number(2);
  while (queues.some((queue) => queue.length > 0)) {
    if (queues[current]!.length === 0 || happens(chance, 0.2)) current = 1 - current;
    const next = queues[current]!.shift();
    if (next !== undefined) merged.push(next);
  }
  return merged;
}

function batchesOf(stream: readonly Seen[], chance: Chance): Seen[][] {
  const batches: Seen[][] = [[]];
  for (const one of stream) {
    if (happens(chance, 0.4)) batches.push([]);
    batches.at(-1)!.push(one);
  }
  return batches;
}
