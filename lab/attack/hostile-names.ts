// Names from outside that would control a terminal: in a DNS answer, and in what an agent says of itself.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../model/address.ts';
import { UDP } from '../../model/protocol.ts';
import { ANSWER, addressRecord, dnsMessage, dnsTypes } from '../programs/dns-message.ts';
import { packet, udp } from '../programs/packet.ts';
import { run } from '../system/run.ts';
import { type Attack, attackerPod, attackerWorkload, type Stage } from './attack.ts';
import { batchOf, forgedAgent, stateOf } from './lying-agent.ts';

const hostileText = '\u001b[31m\u009b2J\u202egnp.exe';
const address = '198.51.100.24' as Address;
/** Control and format characters, except the line feed. */
const controls = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u;

export const hostileNames: Attack = {
  name: 'names that control a terminal',
  does: 'resolves a name with control characters, connects to its address, and reports such texts as an agent',
  async run(stage) {
    await resolveHostileName(stage);
    await sleep(2_000);
    await stage.network
      .peerAt(attackerPod)
      .dial({ address, port: 443, protocol: 'TCP', bytes: 10, timeoutMs: 2_000, sourcePort: stage.nextPort() });
    const agent = await forgedAgent(stage);
    const texts = { version: hostileText, source: hostileText, sourceReason: hostileText, notWatched: [hostileText] };
    agent.send(batchOf(1, { state: { ...stateOf([]), ...texts }, records: [] }));
    await sleep(2_000);
    return async () => {
      const faults: string[] = [];
      for (const command of commands()) {
        const [program, ...args] = stage.waybill.clientCommand(command);
        const output = await run(program!, args);
        const found = controls.exec(output);
        if (found === null) continue;
        const code = found[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
        faults.push(`waybill ${command.join(' ')} prints U+${code}`);
      }
      await agent.end();
      return faults;
    };
  },
};

function commands(): string[][] {
  const of = (verb: string, formats: readonly string[], ...rest: string[]) =>
    formats.map((format) => [verb, '-o', format, ...rest]);
  return [
    ...of('findings', ['wide', 'json'], '--from-pod', attackerWorkload),
    ...of('flows', ['wide', 'yaml'], '--from-pod', attackerWorkload, '--last', '1000'),
    ...of('status', ['table', 'yaml', 'json']),
  ];
}

/** The accomplice answers with the name of the query, whatever it is. */
async function resolveHostileName({ attacker, accomplice, addressOf, nextPort }: Stage): Promise<void> {
  const own = addressOf('tenant/evil-0');
  const name = `${hostileText}.example`;
  const question = { id: 99, name, type: dnsTypes.A };
  const answer = { ...question, flags: ANSWER, answers: [addressRecord(name, address, 600)] };
  await accomplice.silenceKernel('udp', 53);
  await accomplice.watch({ protocol: UDP, port: 53 }, (ip) => {
    const headerBytes = (ip[0]! & 0x0f) * 4;
    const client = [...ip.subarray(12, 16)].join('.') as Address;
    const port = ip.readUInt16BE(headerBytes);
    void accomplice.send([packet(address, client, udp(53, port, dnsMessage(answer)))]);
  });
  await attacker.send([
    packet(own, address, udp(nextPort(), 53, dnsMessage({ ...question, flags: 0x0100, answers: [] }))),
  ]);
}
