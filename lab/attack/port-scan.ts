// A scan of thousands of ports: its findings shall not push those of other pods off the list.
import type { FindingJson } from '../../model/json.ts';
import { packet, tcp } from '../programs/packet.ts';
import type { Attack } from './attack.ts';
import { findingText, nameOf } from './expected-finding.ts';

/** No other attack connects to it, so that the counts are exact. */
const responder = 'shop/stats';
const ports = { first: 1_000, last: 5_999 };
const perSecond = 2_500;
const scanned = ports.last - ports.first + 1;
/** One for each port until there are more than 20, then one for the rest. */
const maxFindings = 25;
const listLength = 100;

export const portScan: Attack = {
  name: 'port scan',
  does: `sends a SYN to ${scanned} ports of one pod, which answers each of them`,
  reportMs: 40_000,
  async run({ attacker, addressOf, nextPort, ownFindings, waybill }) {
    const [own, target] = [addressOf('tenant/evil-0'), addressOf(`${responder}-0`)];
    const port = nextPort();
    await attacker.send(
      Array.from({ length: scanned }, (_, i) => packet(own, target, tcp(port, ports.first + i, 'S'))),
      { perSecond },
    );
    return async () => {
      const ofScan = (await ownFindings()).filter(
        (one) => one.kind === 'bypass' && nameOf(one.responder) === responder,
      );
      const connections = ofScan.reduce((sum, one) => sum + one.connections, 0);
      const listed = (await waybill.ask(`/v1/findings?last=${listLength}`)) as FindingJson[];
      const isOfProbe = (one: FindingJson) => one.kind === 'blocked' && nameOf(one.initiator) === 'shop/probe';
      return [
        ofScan.length <= maxFindings ? undefined : `expected at most ${maxFindings} findings; seen ${ofScan.length}`,
        connections === scanned ? undefined : `expected ${scanned} connections in them; seen ${connections}`,
        listed.some(isOfProbe)
          ? undefined
          : `expected the finding of another pod among the ${listLength} first; seen ${listed.slice(0, 2).map(findingText).join('; ')} …`,
      ].filter((one) => one !== undefined);
    };
  },
};
