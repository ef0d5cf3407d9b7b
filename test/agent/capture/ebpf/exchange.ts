// Runs in a network namespace of its own. Sends the frames of a file (JSON: rounds of frames, each from the pod's or the host's
// end) through a veth pair, and prints the records of our program as JSON.
//   node exchange.ts SOURCE FILE
import { readFileSync } from 'node:fs';
import { send } from '../../../../kernel/libc.ts';
import { bindPacketSocket, openPacketSocket } from '../../../../kernel/packet-socket.ts';
import { makePair, shell, Watching } from './node-link.ts';

/** `frames` in hex, with `pod` or `host` where each is sent. If `drained`, all records are read after the round. */
export type Round = { frames: [from: 'pod' | 'host', hex: string][]; drained: boolean };

async function main(source: 'ebpf' | 'tap', file: string): Promise<void> {
  const rounds = JSON.parse(readFileSync(file, 'utf8')) as Round[];
  const links = makePair();
  shell('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
  const watching = new Watching(source);
  watching.source.watch({ index: links.host, name: 'host', appearedUs: 0 });
  const sockets = { pod: openPacketSocket(), host: openPacketSocket() };
  for (const end of ['pod', 'host'] as const) {
    if (bindPacketSocket(sockets[end], links[end], 0) !== 0) throw new Error('the packet socket cannot be bound');
  }
  for (const { frames, drained } of rounds) {
    for (const [from, hex] of frames) {
      const frame = Buffer.from(hex, 'hex');
      if (send(sockets[from], frame, frame.length, 0) !== frame.length) throw new Error('not sent');
    }
    if (drained) await watching.settle();
  }
  await watching.source.close((record) => watching.records.push(record));
  process.stdout.write(JSON.stringify(watching.records));
}

if (import.meta.main) {
  const [source, file] = process.argv.slice(2);
  await main(source as 'ebpf' | 'tap', file!);
}
