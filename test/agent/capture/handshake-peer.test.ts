// Real connections whose peer answers with a SYN of its own, or lies: every capture source finds one connection of the pod.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { ACK, type ConnectionRecord, PSH, SYN } from '../../../model/record.ts';
import type { Handshake } from './handshake-peer.ts';

const script = new URL('handshake-peer.ts', import.meta.url).pathname;
const behaviours = ['usual', 'split', 'split after an acknowledgement', 'simultaneous', 'lying'];

async function run(source: string, behaviour: string): Promise<Handshake> {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, source, behaviour];
  const { stdout } = await promisify(execFile)('unshare', words, { timeout: 60_000 });
  return JSON.parse(stdout) as Handshake;
}

/** It has a packet of the pod's connection, and not only what the peer sends besides. */
function hasData({ initiator, tcpFlags: { forward, reverse } }: ConnectionRecord): boolean {
  const [ofPod, ofPeer] = initiator === '10.0.0.2' ? [forward, reverse] : [reverse, forward];
  return (ofPod & (SYN | ACK)) !== 0 || (ofPeer & PSH) !== 0;
}

for (const source of ['ebpf', 'tap', 'pcap']) {
  for (const behaviour of behaviours) {
    t.test(`${source}: one connection of the pod if the peer’s handshake is ${behaviour}`, async (t) => {
      const { received, podIsn, records } = await run(source, behaviour);
      t.equal(received, 11, 'the pod’s kernel accepted the connection');
      const seen = records.filter(({ responderPort, initiatorPort }) => responderPort === 80 || initiatorPort === 80);
      const withData = seen.filter(hasData);
      const [first] = withData;
      for (const record of withData) {
        t.match(record, { initiator: '10.0.0.2', responder: '10.0.0.9', point: 'source', initiatorBy: 'handshake' });
        t.match(record, { isn: podIsn, beganUs: first!.beganUs });
      }
      t.match(withData.at(-1), { ended: true, answered: true });
      const bothSentSyn = behaviour !== 'usual' && behaviour !== 'lying';
      t.equal(withData.at(-1)!.bothSentSyn, bothSentSyn);
      if (behaviour !== 'lying') t.equal(new Set(seen.map(({ beganUs }) => beganUs)).size, 1, 'no other connection');
    });
  }
}
