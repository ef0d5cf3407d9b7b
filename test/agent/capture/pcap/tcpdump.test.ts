// Replays a file that tcpdump wrote in its own network namespace.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { linkTypes } from '../../../../agent/capture/decode/link-type.ts';
import { DnsClients } from '../../../../agent/capture/pcap/dns-clients.ts';
import { replayFiles } from '../../../../agent/capture/pcap/replay.ts';
import { UDP } from '../../../../model/protocol.ts';
import { ACK, type ConnectionRecord, FIN, SYN } from '../../../../model/record.ts';
import { folderFor, readPath } from '../../../scene/file-read.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { marker } from './loopback-traffic.ts';

const traffic = new URL('loopback-traffic.ts', import.meta.url).pathname;
const timeoutMs = 20_000;

/** The bytes of the file, once the last packet is in it. */
async function captured(): Promise<Buffer> {
  const namespace = process.getuid?.() === 0 ? '-n' : '-rn';
  const child = spawn('unshare', [namespace, '--kill-child', process.execPath, traffic], { timeout: timeoutMs });
  const stderr: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  let bytes = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.includes(marker)) child.stdin.end();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`exit code ${code}: ${Buffer.concat(stderr)}`);
  return bytes;
}

t.test(
  'a loopback capture of `tcpdump -i any`: every packet is in a record, every connection has its answer',
  async (t) => {
    const path = join(folderFor(t), 'any.pcap');
    writeFileSync(path, await captured());
    const { packets } = await readPath(path);
    t.ok(packets.every(({ linkType }) => linkType === linkTypes.cooked2));

    const accounting = new PacketAccounting();
    const records: ConnectionRecord[] = [];
    const { problems } = await replayFiles([path], accounting, {
      maxConnections: 100,
      dnsSink: { receive: () => undefined },
      clients: new DnsClients(10),
      onProgress: () => undefined,
      onRecords: (some) => records.push(...some),
    });
    t.same(problems, []);
    const { seen, lost } = accounting.snapshot();
    t.same({ seen, lost }, { seen: packets.length, lost: {} });
    const counted = records.reduce((sum, one) => sum + one.packets.forward + one.packets.reverse, 0);
    t.equal(counted, packets.length - (accounting.snapshot().ignored['not-ip'] ?? 0));

    const closed = SYN | ACK | FIN;
    const of = (protocol: number, address: string) =>
      records.filter((one) => one.protocol === protocol && one.initiator === address && one.responder === address);
    for (const loopback of ['127.0.0.1', '::1']) {
      const [tcp, ...more] = of(6, loopback);
      t.match(tcp, { responderPort: 8080, interfaceIndex: 1, initiatorBy: 'handshake', ended: true, synRetries: 0 });
      t.equal(tcp!.tcpFlags.forward & closed, closed);
      t.equal(tcp!.tcpFlags.reverse & closed, closed);
      t.ok(tcp!.rttUs > 0 && tcp!.rttUs < 1_000_000, `${tcp!.rttUs} µs`);
      t.same(more, [], 'one connection');
      matchEach(t, of(UDP, loopback), [{ responderPort: 8125, packets: { forward: 1, reverse: 1 } }]);
    }
  },
);
