// An outside server that works with the attacker answers a SYN with a SYN: whoever takes this for two connections takes
// forbidden egress for a blocked attempt and an allowed ingress.
import type { Address } from '../../model/address.ts';
import { type Attack, attackerPod, attackerWorkload } from './attack.ts';
import { serveSplitHandshake } from './crafted-tcp.ts';
import { connectionText, findingText, missingFinding, nameOf } from './expected-finding.ts';

export const splitHandshake: readonly Attack[] = [
  attackOf({
    name: 'split handshake',
    does: 'connects to an outside server that answers its SYN with a SYN, and then with an ACK',
    port: 4443,
    finish: 'A',
  }),
  attackOf({
    name: 'simultaneous open',
    does: 'connects to an outside server that answers as if it had opened the connection at the same time',
    port: 4444,
    finish: 'SA',
  }),
];

type Handshake = { name: string; does: string; port: number; finish: 'A' | 'SA' };

function attackOf({ name, does, port, finish }: Handshake): Attack {
  return {
    name,
    does,
    async run({ network, accomplice, addressOf, nextPort, ownFindings, connections }) {
      await serveSplitHandshake(accomplice, port, finish);
      const address: Address = addressOf('outside attacker');
      const { outcome } = await network
        .peerAt(attackerPod)
        .dial({ address, port, protocol: 'TCP', bytes: 100, timeoutMs: 3_000, sourcePort: nextPort() });
      return async () => {
        const findings = (await ownFindings()).filter((one) => one.port === port);
        const others = findings.filter(({ kind }) => kind !== 'bypass').map(findingText);
        const own = await connections(`from-pod=${attackerWorkload}&port=${port}`);
        const missing = missingFinding({ kind: 'bypass', severity: 'critical', responder: 'internet', port }, findings);
        const turned = (await connections('to-pod=tenant/evil')).filter(({ initiator }) => initiator.ip === address);
        return [
          outcome === 'established' ? undefined : `the attack itself is ${outcome}`,
          missing === undefined
            ? undefined
            : `${missing}; its connections: ${own.map(connectionText).join('; ') || 'none'}`,
          ...others.map((text) => `expected no other finding of that port; seen ${text}`),
          ...turned.map(({ initiator }) => `expected no connection from outside; seen one from ${nameOf(initiator)}`),
        ].filter((one) => one !== undefined);
      };
    },
  };
}
