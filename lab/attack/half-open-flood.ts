// More half-open connections than a node’s table holds: the other pods shall not be dropped from sight, and what the
// attacker does meanwhile shall not be hidden.
import { setTimeout as sleep } from 'node:timers/promises';
import type { FindingJson } from '../../model/json.ts';
import { type Attack, attackerPod } from './attack.ts';
import { findingText, missingFinding } from './expected-finding.ts';

const syns = 160_000;
const perSecond = 20_000;

export const halfOpenFlood: Attack = {
  name: 'flood of half-open connections',
  does: `sends ${syns} SYNs to random addresses, and a forbidden datagram meanwhile`,
  reportMs: 90_000,
  async run({ network, attacker, addressOf, nextPort, ownFindings, waybill }) {
    const flood = attacker.synFlood({ source: addressOf('tenant/evil-0'), count: syns, perSecond });
    await sleep((syns / perSecond) * 900);
    await network.peerAt(attackerPod).dial({
      address: addressOf('shop/db-0'),
      port: 9999,
      protocol: 'UDP',
      bytes: 10,
      timeoutMs: 2_000,
      sourcePort: nextPort(),
    });
    await flood;
    return async () => {
      const wanted = { kind: 'bypass', responder: 'shop/db', protocol: 'UDP', port: 9999 };
      const gaps = ((await waybill.ask('/v1/findings?last=10000')) as FindingJson[]).filter(
        (one) => one.kind === 'coverage-gap',
      );
      const isNamed = gaps.some(
        (one) => JSON.stringify(one).includes('evil') && JSON.stringify(one).includes('node-a'),
      );
      return [
        missingFinding(wanted, await ownFindings()),
        isNamed
          ? undefined
          : `expected a coverage-gap that names node-a and the attacker; seen ${gaps.map(findingText).join('; ') || 'none'}`,
      ].filter((one) => one !== undefined);
    };
  },
};
