// A client of the collector's ingest port that sends what it is given, with the certificate of a node. Reads commands as
// JSON lines on stdin, writes replies as JSON lines on stdout.
//   node forged-agent-program.ts ADDRESS CA CERT KEY
//   {"open":1}   {"open":1,"send":"HEX"}
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { type Ack, flowIngestDefinition } from '../../proto/wire.ts';

/** Opens the stream if it is new. `send`: an encoded FlowBatch. */
export type ForgedAgentCommand = { open: number; send?: string };
export type ForgedAgentReply =
  | { ready: true }
  | { stream: number; ack: Ack }
  /** The collector ended the stream. */
  | { stream: number; ended: string };

const [address, ca, cert, key] = process.argv.slice(2) as [string, string, string, string];
const tls = credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(cert));
const client = new Client(address, tls);
const streams = new Map<number, ClientDuplexStream<Buffer, Ack>>();

function open(stream: number): ClientDuplexStream<Buffer, Ack> {
  const { path, responseDeserialize } = flowIngestDefinition().Stream;
  const call = client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, responseDeserialize);
  call.on('data', (ack: Ack) => reply({ stream, ack }));
  call.on('error', (error: Error) => reply({ stream, ended: error.message }));
  call.on('end', () => reply({ stream, ended: 'no reason' }));
  streams.set(stream, call);
  return call;
}

function reply(message: ForgedAgentReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

reply({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as ForgedAgentCommand;
  const stream = streams.get(command.open) ?? open(command.open);
  if (command.send !== undefined) stream.write(Buffer.from(command.send, 'hex'));
}
process.exit(0);
