// Limits the connections of a TLS server, so that peers without a certificate cannot keep out those that have one, and one
// certificate cannot keep out the others.
import type { Socket } from 'node:net';
import type { Server, TLSSocket, TlsOptions } from 'node:tls';
import type { TlsCredentials } from '../../certs/read.ts';

export type ConnectionLimits = {
  /** Connections whose TLS handshake is not finished. */
  maxHandshakes: number;
  /** Connections with a certificate. */
  maxConnections: number;
  /** The same with one name in the certificate. */
  maxPerPeer: number;
};

/** A peer that does not finish its handshake in this time is disconnected. */
const handshakeTimeoutMs = 10_000;

/** Options of a TLS server that accepts only peers with a certificate of the authority. */
export function mutualTls({ ca, cert, key }: TlsCredentials): TlsOptions {
  return {
    ca,
    cert,
    key,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeTimeoutMs,
  };
}

/** `peerOf` is the name in the certificate. Call it before the server listens. */
export function limitConnections(
  server: Server,
  limits: ConnectionLimits,
  peerOf: (socket: TLSSocket) => string,
): void {
  const handshakes = new WaitingConnections(limits.maxHandshakes);
  const ofPeer = new Map<string, number>();
  let connections = 0;
  // First of all listeners: TLS takes the socket over in the next one.
  server.prependListener('connection', (socket: Socket) => handshakes.add(socket));
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    handshakes.finished(socket);
    const peer = peerOf(socket);
    const count = ofPeer.get(peer) ?? 0;
    if (connections >= limits.maxConnections || count >= limits.maxPerPeer) {
      socket.destroy();
      return;
    }
    connections += 1;
    ofPeer.set(peer, count + 1);
    socket.once('close', () => {
      connections -= 1;
      const rest = ofPeer.get(peer)! - 1;
      if (rest === 0) ofPeer.delete(peer);
      else ofPeer.set(peer, rest);
    });
  });
  // Without a listener, a peer that breaks its handshake would end the program.
  server.on('tlsClientError', (_, socket) => socket.destroy());
}

/** Connections that have not sent what they must. Above the limit, the address with the most of them loses its oldest one. */
export class WaitingConnections {
  readonly #max: number;
  readonly #sockets = new Map<string, Socket>();
  readonly #byAddress = new Map<string, Set<string>>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const name = nameOf(socket);
    this.#sockets.set(name, socket);
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? new Set()).add(name));
    socket.once('close', () => this.#remove(address, name));
    if (this.#sockets.size > this.#max) this.#evict();
  }

  finished(socket: Socket): void {
    this.#remove(socket.remoteAddress ?? '', nameOf(socket));
  }

  #evict(): void {
    let most: [address: string, names: Set<string>] | undefined;
    for (const one of this.#byAddress) if (most === undefined || one[1].size > most[1].size) most = one;
    if (most === undefined) return;
    const [address, names] = most;
    const [oldest] = names;
    const socket = this.#sockets.get(oldest!);
    this.#remove(address, oldest!);
    socket?.destroy();
  }

  #remove(address: string, name: string): void {
    this.#sockets.delete(name);
    const names = this.#byAddress.get(address);
    names?.delete(name);
    if (names?.size === 0) this.#byAddress.delete(address);
  }
}

/** The address and port of the peer: unique while it is connected. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
