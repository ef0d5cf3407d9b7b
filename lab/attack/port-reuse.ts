// An allowed connection ends, a policy then denies it, and the attacker opens it again from the same port and with the same
// sequence number: as if it had been open all the time.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from './attack.ts';
import { exchange } from './crafted-tcp.ts';
import { findingText, missingFinding } from './expected-finding.ts';

const port = 7000;

export const portReuse: Attack = {
  name: 'reused port and sequence number after a policy change',
  does: 'repeats a connection that was allowed, with the same port and sequence number, after a policy denies it',
  async run({ network, attacker, addressOf, nextPort, ownFindings }) {
    const client = { peer: attacker, source: addressOf('tenant/evil-0'), port: nextPort() };
    const to = { address: addressOf('shop/depot-0'), port, sequence: 4_000_000_000, payload: Buffer.alloc(100, 'w') };
    await exchange(client, to);
    await network.apply('changes/depot.yaml');
    // Longer than findings.grace.
    await sleep(4_000);
    await exchange(client, to);
    return async () => {
      const findings = (await ownFindings()).filter((one) => one.port === port);
      const others = findings.filter(({ kind }) => kind !== 'bypass').map(findingText);
      return [
        missingFinding({ kind: 'bypass', severity: 'critical', responder: 'shop/depot', port }, findings),
        ...others.map((text) => `expected no other finding of that port; seen ${text}`),
      ].filter((one) => one !== undefined);
    };
  },
};
