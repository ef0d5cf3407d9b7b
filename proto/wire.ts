// TypeScript types of the messages in proto/waybill/v1/flow.proto, and the service definition for gRPC.
import { fileURLToPath } from 'node:url';
import type { GrpcObject, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type WireRecords = {
  ipv4: Uint8Array;
  ipv6: Uint8Array;
  baseUs: number;
  initiator: number[];
  responder: number[];
  initiatorPort: number[];
  responderPort: number[];
  protocol: Uint8Array;
  marks: Uint8Array;
  interfaceIndex: number[];
  first: number[];
  span: number[];
  age: number[];
  packetsForward: number[];
  packetsReverse: number[];
  bytesForward: number[];
  bytesReverse: number[];
  flagsForward: Uint8Array;
  flagsReverse: Uint8Array;
  synRetries: number[];
  rttUs: number[];
  moreSegments: number[];
  translation: number[];
  moreMarks: Uint8Array;
  isn: number[];
};

export type WireDnsNames = {
  ipv4: Uint8Array;
  ipv6: Uint8Array;
  name: string[];
  atUs: number[];
  ttlSeconds: number[];
  interfaceIndex: number[];
  servers: string[];
  server: number[];
  asked: number[];
  transport: Uint8Array;
  /** Null from an older agent. */
  queries: WireDnsQueries | null;
};

export type WireDnsQueries = {
  withdrawn: {
    interfaceIndex: number;
    name: string;
    address: string;
    atUs: number;
    server: string;
    asked: string;
  }[];
  unanswered: { interfaceIndex: number; name: string; atUs: number; open: boolean }[];
  watched: { interfaceIndex: number; sinceUs: number; isNew: boolean; untilUs: number }[];
};

export type WireInterface = {
  index: number;
  name: string;
  podUid: string;
  addresses: string[];
  watchedSinceUs: number;
  seesFromPod: boolean;
  seesToPod: boolean;
  goneUs: number;
  gapFreeSinceUs: number;
};

/** `direction` and `zone` are numbers of proto/unrecorded.ts. */
export type WireUnrecorded = {
  reason: string;
  direction: number;
  protocol: number;
  port: number;
  zone: number;
  packets: number;
  bytes: number;
  firstUs: number;
  lastUs: number;
};

export type WireGapInterface = {
  index: number;
  name: string;
  podUid: string;
  connections: number;
  unanswered: number;
  unrecorded: WireUnrecorded[];
};

export type WireGap = { fromUs: number; untilUs: number; ended: boolean; interfaces: WireGapInterface[] };
export type WireInterfaceLosses = { index: number; unrecorded: WireUnrecorded[] };
export type WireCoverage = { gaps: WireGap[]; unreadable: WireInterfaceLosses[] };

export type WirePacketCounts = {
  seen: number;
  stored: number;
  ignored: Record<string, number>;
  lost: Record<string, number>;
};

/** `bytes` is null from an older agent, which does not count them. */
export type WireAccounting = WirePacketCounts & { bytes: WirePacketCounts | null };

export type AgentState = {
  version: string;
  source: string;
  sourceReason: string;
  interfaces: WireInterface[];
  accounting: WireAccounting | null;
  nodeAddresses: string[];
  notWatched: string[];
  /** 0 or absent from an older agent. */
  watchingSinceUs?: number;
  stopped?: boolean;
  /** Null or absent from an older agent, which does not know which interface its losses belong to. */
  coverage?: WireCoverage | null;
};

export type WireClock = { wallUs: number; acks: number; sinceAckUs: number };

export type FlowBatch = {
  node: string;
  instance: string;
  sequence: number;
  sentUs: number;
  coveredUntilUs: number;
  state: AgentState | null;
  records: WireRecords | null;
  /** Null if the batch has no names, as from an older agent. */
  names: WireDnsNames | null;
  /** Null or absent from an older agent. */
  clock?: WireClock | null;
};

export type Ack = { sequence: number; refused: string };

export type FlowIngestDefinition = { Stream: MethodDefinition<FlowBatch, Ack> } & ServiceDefinition;

const protoFile = fileURLToPath(new URL('waybill/v1/flow.proto', import.meta.url));

/** Times and counters are JavaScript numbers, exact below 2^53: in µs, until the year 2255. */
export function flowIngestDefinition(): FlowIngestDefinition {
  definition ??= loadDefinition();
  return definition;
}

let definition: FlowIngestDefinition | undefined;

function loadDefinition(): FlowIngestDefinition {
  const loaded = loadPackageDefinition(loadSync(protoFile, { longs: Number, defaults: true }));
  const waybill = loaded.waybill as GrpcObject;
  const v1 = waybill.v1 as GrpcObject;
  return (v1.FlowIngest as unknown as { service: FlowIngestDefinition }).service;
}
