// Thousands of connections with the same addresses and ports: the collector shall not compare each of them with all others.
import { packet, tcp } from '../programs/packet.ts';
import type { Attack } from './attack.ts';
import { missingFinding } from './expected-finding.ts';

const port = 5801;
const count = 7_500;
const perSecond = 500;
const maxAnswerMs = 5_000;
const askEveryMs = 1_000;

export const samePorts: Attack = {
  name: 'SYNs on the same ports',
  does: `sends ${count} SYNs with the same addresses and ports, each with a new sequence number`,
  reportMs: 40_000,
  async run({ attacker, addressOf, nextPort, ownFindings, waybill }) {
    const [own, db] = [addressOf('tenant/evil-0'), addressOf('shop/db-0')];
    const from = nextPort();
    let slowestMs = 0;
    const ask = async () => {
      const startMs = Date.now();
      await waybill.ask('/v1/flows?last=10').catch(() => (slowestMs = Number.POSITIVE_INFINITY));
      slowestMs = Math.max(slowestMs, Date.now() - startMs);
    };
    const asked: Promise<void>[] = [];
    const timer = setInterval(() => asked.push(ask()), askEveryMs);
    try {
      await attacker.send(
        Array.from({ length: count }, (_, i) => packet(own, db, tcp(from, port, 'S', { sequence: 1_000 + i * 1_000 }))),
        { perSecond },
      );
    } finally {
      clearInterval(timer);
    }
    await Promise.all(asked);
    return async () =>
      [
        missingFinding({ kind: 'bypass', responder: 'shop/db', protocol: 'TCP', port }, await ownFindings()),
        slowestMs <= maxAnswerMs
          ? undefined
          : `expected each answer of the API within ${maxAnswerMs} ms; seen ${slowestMs}`,
      ].filter((one) => one !== undefined);
  },
};
