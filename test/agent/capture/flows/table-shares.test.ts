// Which connections have a row if the table is full: no interface takes the share of another one, and connections without
// an answer lose their rows first.
import t from 'tap';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { Flows } from '../../../scene/flows.ts';
import { ip4, tcp, udp } from '../../../scene/packets.ts';
import { db, web } from '../../../scene/records.ts';

/** A table for 1,000 connections: the reserve is 125, so the share of an interface is 1 of 64 parts of it. */
const maxConnections = 1_000;
const [attacker, other, busy] = [1, 2, 3];

function scene() {
  const flows = new Flows({ maxConnections });
  for (const link of [attacker, other, busy]) flows.table.watch(link, 0, 'before');
  const records: ConnectionRecord[] = [];
  let at = 0;
  return {
    flows,
    records,
    drain() {
      at += 0.2;
      records.push(...flows.drain(at));
    },
    /** One SYN to each of many addresses, which nobody answers. */
    flood(link: number, count: number, first = 0) {
      for (let i = first; i < first + count; i++) {
        flows.see(at, ip4(web, `203.0.${113 + (i >> 8)}.${i & 255}`, tcp(1024 + i, 443, 'S')), 'from-pod', link);
      }
    },
    connect(link: number, port: number) {
      flows.see(at, ip4(web, db, tcp(port, 5432, 'S')), 'from-pod', link);
      flows.see(at, ip4(db, web, tcp(5432, port, 'SA', { acknowledged: 1001 })), 'to-pod', link);
      flows.see(at, ip4(web, db, tcp(port, 5432, 'A')), 'from-pod', link);
    },
    send(link: number, port: number) {
      flows.see(at, ip4(web, db, udp(port, 514)), 'from-pod', link);
    },
    portsOf(link: number): number[] {
      const ports = records.filter((one) => one.interfaceIndex === link).map((one) => one.initiatorPort);
      return [...new Set(ports)].sort((a, b) => a - b);
    },
  };
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

t.test('during a flood, every other connection has a record: answered or not, before and after it', async (t) => {
  const { flows, flood, connect, send, drain, portsOf } = scene();
  for (const port of range(10_000, 20)) connect(other, port);
  drain();
  for (const turn of range(0, 20)) {
    flood(attacker, 500, turn * 500);
    for (const port of range(20_000 + turn * 10, 10)) connect(other, port);
    send(other, 30_000 + turn);
    for (const port of range(40_000 + turn * 20, 20)) connect(busy, port);
    drain();
  }
  t.same(portsOf(other), [...range(10_000, 20), ...range(20_000, 200), ...range(30_000, 20)]);
  t.same(portsOf(busy), range(40_000, 400));
  const lost = flows.unrecorded.losses;
  t.ok(flows.unrecorded.packets() > 8_000, `${flows.unrecorded.packets()} SYNs have no record`);
  t.same([...new Set(lost.map(({ interfaceIndex }) => interfaceIndex))], [attacker]);
  t.same(flows.accounting.snapshot().lost, { 'table-full': flows.unrecorded.packets() });
});

t.test('what finds no row is added up by direction, protocol, port and zone of the other end', async (t) => {
  const { flows, flood, drain } = scene();
  flood(attacker, maxConnections);
  flows.see(0, ip4(web, '10.9.9.9', udp(7, 514)), 'from-pod', attacker);
  flows.see(0, ip4('203.0.113.1', web, tcp(9_999, 80, 'S')), 'to-pod', attacker);
  flows.see(0, ip4('203.0.113.1', web, udp(9_999, 53)), 'not-at-pod', attacker);
  drain();
  const { losses } = flows.unrecorded;
  t.match(losses, [
    { interfaceIndex: attacker, direction: 'from-pod', protocol: 17, port: 514, zone: 'private', packets: 1 },
    { interfaceIndex: attacker, direction: 'to-pod', protocol: 6, port: 80, zone: 'public', packets: 1 },
    { interfaceIndex: attacker, direction: 'unknown', protocol: 17, port: 53, zone: 'private', packets: 1 },
  ]);
});

t.test('a flooded pod keeps its own answered connections, and gets new ones', async (t) => {
  const { flood, connect, drain, portsOf } = scene();
  for (const port of range(10_000, 100)) connect(attacker, port);
  drain();
  for (const turn of range(0, 10)) {
    flood(attacker, 1_000, turn * 1_000);
    for (const port of range(20_000 + turn * 5, 5)) connect(attacker, port);
    drain();
  }
  const own = portsOf(attacker).filter((port) => port >= 10_000);
  for (const port of [...range(10_000, 100), ...range(20_000, 50)]) t.ok(own.includes(port), `${port}`);
});

t.test(
  'a SYN and its SYN-ACK alone are no answered connection: a flood to an open port loses its rows too',
  async (t) => {
    const { flows, connect, drain, portsOf } = scene();
    for (const port of range(1_024, 5_000)) {
      flows.see(0, ip4('203.0.113.9', web, tcp(port, 80, 'S')), 'to-pod', attacker);
      flows.see(0, ip4(web, '203.0.113.9', tcp(80, port, 'SA', { acknowledged: 1001 })), 'from-pod', attacker);
    }
    for (const port of range(20_000, 40)) connect(other, port);
    drain();
    t.same(portsOf(other), range(20_000, 40));
  },
);

t.test(
  'a busy pod has the whole table while it is free, and keeps its connections when another pod floods',
  async (t) => {
    const { flows, flood, connect, drain, portsOf } = scene();
    for (const port of range(10_000, maxConnections)) connect(busy, port);
    drain();
    t.equal(flows.unrecorded.packets(), 0);
    flood(attacker, 5_000);
    drain();
    t.equal(portsOf(busy).length, maxConnections);
    for (const port of range(10_000, maxConnections)) {
      flows.see(1, ip4(db, web, tcp(5432, port, 'FA')), 'to-pod', busy);
      flows.see(1, ip4(web, db, tcp(port, 5432, 'FA')), 'from-pod', busy);
    }
    drain();
    const [lost] = [flows.unrecorded.losses.filter(({ interfaceIndex }) => interfaceIndex === busy)];
    t.same(lost, [], 'nothing of the busy pod is lost');
  },
);

t.test('if answered connections fill the table, an interface still has its share, and takes no more', async (t) => {
  const { flows, connect, send, drain, portsOf } = scene();
  for (const port of range(10_000, maxConnections)) connect(busy, port);
  drain();
  send(other, 1);
  for (const port of range(30_000, 10)) connect(other, port);
  drain();
  t.equal(portsOf(other).length, 1, 'a share is at least one row');
  t.ok(flows.table.size <= maxConnections + 1);
});

t.test('a later attempt of the flooding pod has a record, although the table is still full', async (t) => {
  const { flood, send, drain, portsOf } = scene();
  flood(attacker, 5_000);
  drain();
  drain();
  send(attacker, 60_000);
  drain();
  t.ok(portsOf(attacker).includes(60_000));
});

t.test('connections that one pod ends do not take the place of those that another one ends', async (t) => {
  const { flows, connect, drain, records } = scene();
  connect(other, 50_000);
  drain();
  for (let sequence = 1; sequence <= 3_000; sequence++) {
    flows.see(1, ip4(web, db, tcp(9, 80, 'S', { sequence })), 'from-pod', attacker);
  }
  flows.see(1, ip4(web, db, tcp(50_000, 5432, 'S', { sequence: 7 })), 'from-pod', other);
  drain();
  const ended = records.filter((one) => one.interfaceIndex === other && one.ended);
  t.equal(ended.length, 1);
});

t.test('a flooded pod gets its answered connections, also while another pod floods more', async (t) => {
  const { flows, flood, connect, drain, portsOf } = scene();
  flood(attacker, 900);
  drain();
  for (let i = 0; i < 500; i++) {
    flows.see(0.2, ip4(`203.0.113.${i & 255}`, web, tcp(1024 + i, 80, 'S')), 'to-pod', other);
  }
  for (const port of range(20_000, 20)) connect(other, port);
  drain();
  const own = portsOf(other).filter((port) => port >= 20_000);
  t.same(own, range(20_000, 20));
});

t.test('half-open connections that the flooded pod answers do not use up the rows of its answered ones', async (t) => {
  const flows = new Flows({ maxConnections });
  const records: ConnectionRecord[] = [];
  const answers = (port: number, acknowledges: boolean) => {
    flows.see(0, ip4('203.0.113.9', web, tcp(port, 80, 'S')), 'to-pod', attacker);
    flows.see(0, ip4(web, '203.0.113.9', tcp(80, port, 'SA', { acknowledged: 1001 })), 'from-pod', attacker);
    if (acknowledges) flows.see(0, ip4('203.0.113.9', web, tcp(port, 80, 'A')), 'to-pod', attacker);
  };
  for (const port of range(1_024, 2_000)) answers(port, false);
  for (const port of range(20_000, 40)) answers(port, true);
  records.push(...flows.drain(1));
  const recorded = new Set(records.map((one) => one.initiatorPort));
  for (const port of range(20_000, 40)) t.ok(recorded.has(port), `${port}`);
});
