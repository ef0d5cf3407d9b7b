// A strand: the sides of one connection at one interface. There are several if the agent restarted, or lost sight of the
// connection: a side without a beginning continues the side before it.
import { TCP } from '../../model/protocol.ts';
import { isMidStream, isSameEnd, type Side } from './side.ts';

/** In the order of time; never empty. */
export type Strand = {
  sides: readonly Side[];
  first: Side;
  beganUs: number;
  lastUs: number;
  isn: number | undefined;
};

/** Silence after which an agent ends a connection. */
export const idleTimeoutUs = { tcp: 310_000_000, other: 70_000_000 };

/** Sides in any order. The result has the order of time; it is the same for every order of the sides. */
export function strandsOf(sides: readonly Side[]): Strand[] {
  if (sides.length === 1) return [strandOf([sides[0]!])];
  const chains: Side[][] = [];
  for (const side of [...sides].sort(compareSides)) {
    const chain = chains.findLast((one) => isSameInterface(one[0]!, side));
    if (chain !== undefined && continues(side, chain)) chain.push(side);
    else chains.push([side]);
  }
  return chains.map(strandOf);
}

export function isSameInterface(a: Side, b: Side): boolean {
  return (
    a.interfaceIndex === b.interfaceIndex && a.node === b.node && isSameEnd(a.near, b.near) && isSameEnd(a.far, b.far)
  );
}

/** `sides` are in the order of time, and not empty. */
export function strandOf(sides: readonly Side[]): Strand {
  const first = sides[0]!;
  let { lastUs } = first.total;
  let { isn } = first;
  for (const { total, isn: more } of sides) {
    if (total.lastUs > lastUs) lastUs = total.lastUs;
    isn ??= more;
  }
  return { sides, first, beganUs: first.beganUs, lastUs, isn };
}

/**
 * What came before did not end, and the side shows no other beginning: the agent restarted, or its table was full and dropped the
 * connection meanwhile.
 */
function continues(side: Side, before: readonly Side[]): boolean {
  const last = before.at(-1)!;
  if (last.total.ended || !last.atPod) return false;
  const gapUs = side.beganUs - last.total.lastUs;
  if (side.protocol !== TCP) return gapUs < idleTimeoutUs.other;
  if (gapUs >= idleTimeoutUs.tcp) return false;
  return isMidStream(side) || (side.isn !== undefined && before.some(({ isn }) => isn === side.isn));
}

function compareSides(a: Side, b: Side): number {
  return (
    a.beganUs - b.beganUs ||
    compareTexts(a.node, b.node) ||
    a.interfaceIndex - b.interfaceIndex ||
    a.agentBeganUs - b.agentBeganUs ||
    compareTexts(a.near.address, b.near.address) ||
    a.near.port - b.near.port ||
    compareTexts(a.far.address, b.far.address) ||
    a.far.port - b.far.port
  );
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
