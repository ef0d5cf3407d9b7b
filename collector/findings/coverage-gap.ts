// A node was blind: a table or buffer of its agent was full. The finding says from when until when, which pods it is about,
// and which pod filled the table. It is about a node, so it accuses no pod of a forbidden connection.
import type { Endpoint } from '../../model/endpoint.ts';
import type { Finding } from '../../model/finding.ts';
import { timeText } from '../../model/json.ts';
import { hasPorts, protocolName } from '../../model/protocol.ts';
import type { CoverageGap, NodeGaps, UnrecordedSum } from '../../model/unrecorded.ts';
import { explanationText } from './explanation-text.ts';
import { workloadFindingId } from './finding-id.ts';

/** Nodes with the gaps that their agents reported. The revision changes with them. */
export type GapLookup = { coverageGaps(): { revision: number; nodes: readonly NodeGaps[] } };

/** `namespace/name`, or undefined if the node has no such pod. */
export type PodName = (uid: string, node: string) => string | undefined;

/** Sums in the text; `evidence` has all of them. */
const maxShownSums = 5;
const maxShownPods = 5;
const maxEarlier = 8;

/** Undefined if the node had no gap. */
export function coverageGapFinding({ node, gaps }: NodeGaps, podName: PodName): Finding | undefined {
  const latest = gaps.at(-1);
  if (latest === undefined) return undefined;
  const places = latest.interfaces.map((one) => ({
    ...one,
    pod: podName(one.podUid, node) ?? `interface ${one.name}`,
  }));
  const affected = places.filter(({ unrecorded }) => unrecorded.length > 0);
  const sums = affected.flatMap(({ pod, unrecorded }) => unrecorded.map((sum) => ({ pod, ...sum })));
  const filledBy = places.reduce((most, one) => (loadOf(one) > loadOf(most) ? one : most), places[0]!);
  const why = [...new Set(sums.map(({ reason }) => reason))].sort();
  const pods = [...new Set(affected.map(({ pod }) => pod))].sort();
  const earlier = gaps.slice(0, -1).slice(-maxEarlier);
  const initiator: Endpoint = { kind: 'node', node };
  const from = timeText(latest.fromUs);
  const to = latest.ended ? timeText(latest.untilUs) : undefined;
  return {
    id: workloadFindingId('coverage-gap', initiator),
    kind: 'coverage-gap',
    severity: 'medium',
    initiator,
    connections: 0,
    firstSeenUs: Math.min(...gaps.map(({ fromUs }) => fromUs)),
    lastSeenUs: latest.untilUs,
    explanation: explanationText({
      claim: claimOf({ node, from, to, filledBy: filledBy?.pod }),
      evidence: [
        ...(filledBy === undefined ? [] : [tableLine(filledBy)]),
        `not recorded: packets of ${listOf(pods, maxShownPods)}`,
        ...sums
          .toSorted((a, b) => b.packets - a.packets)
          .slice(0, maxShownSums)
          .map(sumLine),
        ...(sums.length > maxShownSums ? [`not recorded: ${sums.length - maxShownSums} more kinds of packets`] : []),
        ...(earlier.length > 0 ? [`earlier: ${earlier.map(spanText).join(', ')}`] : []),
      ],
      toDo: toDoOf(why, filledBy?.pod),
    }),
    sides: [],
    evidence: {
      node,
      from,
      ...(to === undefined ? {} : { to }),
      why,
      ...(filledBy === undefined ? {} : { filledBy: filledBy.pod }),
      pods,
      unrecorded: sums.map(sumJson),
      earlier: earlier.map(({ fromUs, untilUs }) => ({ from: timeText(fromUs), to: timeText(untilUs) })),
    },
  };
}

/** The finding of a gap that lasted when its agent ended, as stored; nothing more is known of it. */
export function endedGapFinding(stored: Finding): Finding {
  const { node, from, filledBy, why } = stored.evidence as {
    node: string;
    from: string;
    filledBy?: string;
    why: string[];
  };
  const to = timeText(stored.lastSeenUs);
  const [, ...lines] = stored.explanation.split('\n');
  return {
    ...stored,
    explanation: [claimOf({ node, from, to, filledBy }), ...lines].join('\n'),
    evidence: { ...stored.evidence, to, why },
  };
}

export function gapLasts({ evidence }: Finding): boolean {
  return evidence.to === undefined;
}

type Place = CoverageGap['interfaces'][number] & { pod: string };
type SumOfPod = UnrecordedSum & { pod: string };

/** Connections without an answer and refused packets: a pod with many answered connections is busy, and fills nothing. */
function loadOf({ unanswered, unrecorded }: Place): number {
  return unanswered + unrecorded.reduce((sum, { packets }) => sum + packets, 0);
}

type Span = { node: string; from: string; to: string | undefined; filledBy: string | undefined };

function claimOf({ node, from, to, filledBy }: Span): string {
  const cause = (verb: string) => (filledBy === undefined ? '' : `: ${filledBy} ${verb} its connection table`);
  return to === undefined
    ? `node ${node} does not record every connection since ${from}${cause('fills')}.`
    : `node ${node} did not record every connection from ${from} to ${to}${cause('filled')}.`;
}

function tableLine({ pod, connections, unanswered }: Place): string {
  return `table: ${pod} has at most ${connections} connections, ${unanswered} of them without an answer`;
}

function sumLine({ pod, direction, protocol, port, zone, packets, reason }: SumOfPod): string {
  const began = { 'from-pod': `from ${pod}`, 'to-pod': `to ${pod}`, unknown: `at ${pod}` }[direction];
  const what =
    protocol === 0
      ? []
      : [hasPorts(protocol) && port !== 0 ? `${protocolName(protocol)} ${port}` : protocolName(protocol)];
  const where = zone === 'unknown' ? [] : [`${zone} address`];
  return `not recorded: ${[`${packets} packets ${began}`, ...what, ...where, reason].join(', ')}`;
}

function toDoOf(why: readonly string[], filledBy: string | undefined): string {
  const setting = why.includes('kernel-buffer-full') ? 'capture.bufferBytes' : 'capture.maxConnections';
  return `find out why ${filledBy ?? 'the pod'} has so many connections without an answer, or raise ${setting}`;
}

function listOf(pods: readonly string[], limit: number): string {
  const shown = pods.slice(0, limit).join(', ');
  return pods.length > limit ? `${shown} and ${pods.length - limit} more` : shown;
}

function spanText({ fromUs, untilUs }: CoverageGap): string {
  return `${timeText(fromUs)} to ${timeText(untilUs)}`;
}

function sumJson({ pod, direction, protocol, port, zone, reason, packets, bytes, firstUs, lastUs }: SumOfPod) {
  return {
    ...{ pod, direction },
    ...(protocol === 0 ? {} : { protocol: protocolName(protocol) }),
    ...(port === 0 ? {} : { port }),
    ...{ zone, reason, packets, bytes, first: timeText(firstUs), last: timeText(lastUs) },
  };
}
