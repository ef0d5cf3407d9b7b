// TCP spoken packet by packet: a client that chooses its sequence number, and a server that answers a SYN with a SYN.
import type { Address } from '../../model/address.ts';
import { TCP } from '../../model/protocol.ts';
import { packet, type Segment, segmentOf, tcp } from '../programs/packet.ts';
import type { RawPeer } from '../programs/raw-peer.ts';

export type CraftedClient = { peer: RawPeer; source: Address; port: number };

const maxAnswerMs = 3_000;

/** Connects, sends `payload`, and closes with FIN from both sides. Throws if the server does not answer. */
export async function exchange(
  client: CraftedClient,
  to: { address: Address; port: number; sequence: number; payload: Buffer },
): Promise<void> {
  const { peer, source, port } = client;
  const received: Segment[] = [];
  await peer.silenceKernel('tcp', port);
  await peer.watch({ protocol: TCP, port }, (ip) => received.push(segmentOf(ip)!));
  const send = (flags: string, sequence: number, acknowledged: number, payload?: Buffer) =>
    peer.send([
      packet(source, to.address, tcp(port, to.port, flags, { sequence, acknowledged, ...(payload && { payload }) })),
    ]);
  const answer = async (what: string, isIt: (segment: Segment) => boolean): Promise<Segment> => {
    const deadline = Date.now() + maxAnswerMs;
    for (;;) {
      const found = received.find(isIt);
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`${to.address}:${to.port} sent no ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await send('S', to.sequence, 0);
  const synAck = await answer('SYN-ACK', ({ flags }) => flags === 'SA');
  const first = to.sequence + 1;
  const end = first + to.payload.length;
  await send('A', first, synAck.sequence + 1);
  await send('PA', first, synAck.sequence + 1, to.payload);
  const data = await answer('data', ({ payload }) => payload.length > 0);
  const seen = data.sequence + data.payload.length;
  await send('FA', end, seen);
  await answer('FIN', ({ flags }) => flags.includes('F'));
  await send('A', end + 1, seen + 1);
}

/**
 * Serves a port by a split handshake (RFC 9293 3.5): a SYN answers the SYN. `finish` is how it acknowledges the client's
 * SYN-ACK: `A`, or `SA` as if both had opened at the same time. Sends all data back.
 */
export async function serveSplitHandshake(server: RawPeer, port: number, finish: 'A' | 'SA'): Promise<void> {
  const ownSequence = 90_000;
  await server.silenceKernel('tcp', port);
  await server.watch({ protocol: TCP, port }, (ip) => {
    const segment = segmentOf(ip)!;
    const { source, sourcePort, destination, flags, sequence, acknowledged, payload } = segment;
    const send = (letters: string, from: number, upTo: number, bytes?: Buffer) =>
      void server.send([
        packet(
          destination,
          source,
          tcp(port, sourcePort, letters, { sequence: from, acknowledged: upTo, ...(bytes && { payload: bytes }) }),
        ),
      ]);
    if (flags === 'S') send('S', ownSequence, 0);
    else if (flags === 'SA') send(finish, finish === 'SA' ? ownSequence : ownSequence + 1, sequence + 1);
    else if (payload.length > 0) send('PA', acknowledged, sequence + payload.length, payload);
    else if (flags.includes('F')) send('FA', acknowledged, sequence + 1);
  });
}
