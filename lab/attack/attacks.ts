// Every attack, in the order in which they run: those that could end the run's own view of Waybill come last.
import type { Attack } from './attack.ts';
import { bareConnections } from './bare-connections.ts';
import { borrowedAddress } from './borrowed-address.ts';
import { dnsAnswers } from './dns-answers.ts';
import { floodingBridge } from './flooding-bridge.ts';
import { forgedAnswer, forgedEnd } from './forged-answer.ts';
import { otherProtocols, tinyFragments } from './fragments.ts';
import { halfOpenFlood } from './half-open-flood.ts';
import { hostileNames } from './hostile-names.ts';
import {
  blindingAgent,
  foreignPods,
  hostRecords,
  impossibleNumber,
  silentStreams,
  takenSequence,
} from './lying-agent.ts';
import { malformedFlood } from './malformed-flood.ts';
import { portReuse } from './port-reuse.ts';
import { portScan } from './port-scan.ts';
import { samePorts } from './same-ports.ts';
import { splitHandshake } from './split-handshake.ts';
import { spoofedSource } from './spoofed-source.ts';
import { unaskedAnswers } from './unasked-answers.ts';

/** Attacks that share one lab. `topology`: the path below lab/attack/. */
export type Campaign = { topology: string; attacks: readonly Attack[] };

export const campaigns: readonly Campaign[] = [
  {
    topology: 'cluster/topology.yaml',
    attacks: [
      ...spoofedSource,
      borrowedAddress,
      ...forgedAnswer,
      forgedEnd,
      ...splitHandshake,
      portReuse,
      ...dnsAnswers,
      tinyFragments,
      otherProtocols,
      ...unaskedAnswers,
      malformedFlood,
      foreignPods,
      hostRecords,
      blindingAgent,
      takenSequence,
      silentStreams,
      hostileNames,
      bareConnections,
      portScan,
      samePorts,
      halfOpenFlood,
      impossibleNumber,
    ],
  },
  { topology: 'bridge/topology.yaml', attacks: [floodingBridge] },
];
