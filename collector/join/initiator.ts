// Which end of a connection is the initiator. Each side claims one; the best evidence decides, and then who was first
// (RFC 9293, 3.5: both ends may send a SYN).
import type { Tuple } from '../../model/record.ts';
import { type End, isSameEnd, type Side } from './side.ts';
import type { Strand } from './strand.ts';

/** From the least to the best evidence. */
const strengths = ['guessed', 'both-directions', 'handshake', 'translation'] as const;

const byHandshake = strengths.indexOf('handshake');

type Claim = { end: End; other: End; strength: number; atUs: number };

/** `certain`: a handshake or conntrack names it, and no other side of the connection disagrees. */
export type Initiator = { certain: boolean; isNear(side: Side): boolean };

/**
 * The initiator of a connection with these strands. `previous` is the connection before it with the same ends: an inferred
 * initiator is replaced by its initiator.
 */
export function initiatorOf(strands: readonly Strand[], previous: Initiator | undefined): Initiator {
  let first = claimOf(strands[0]!);
  const claims = [first];
  for (let i = 1; i < strands.length; i++) {
    const one = claimOf(strands[i]!);
    claims.push(one);
    if (one.strength > first.strength || (one.strength === first.strength && isBefore(one, first))) first = one;
  }
  const isCertain = first.strength >= byHandshake;
  if (!isCertain && previous !== undefined) return { certain: false, isNear: previous.isNear };
  const tuples = [{ initiator: first.end, responder: first.other }];
  for (const { sides } of strands)
    for (const { translation } of sides) if (translation !== undefined) tuples.push(...endsOfTranslation(translation));
  return {
    certain: isCertain && claims.every((one) => one.strength < first.strength || isSameSide(one, first, tuples)),
    isNear: (side) => isNearInitiator(side, tuples),
  };
}

function claimOf({ first, sides }: Strand): Claim {
  const translated = sides.find(({ translation }) => translation !== undefined)?.translation;
  const nearInitiated = translated === undefined ? undefined : nearByTranslation(first, endsOfTranslation(translated));
  if (nearInitiated !== undefined) return claim(first, nearInitiated, 'translation');
  const seen = sides.find(({ initiatorBy }) => initiatorBy === 'handshake');
  if (seen !== undefined) return claim(seen, seen.nearInitiated, 'handshake');
  const sawNear = sides.some(({ total }) => total.near.packets > 0);
  const sawFar = sides.some(({ total }) => total.far.packets > 0);
  return claim(first, first.nearInitiated, sawNear && sawFar ? 'both-directions' : 'guessed');
}

function claim(side: Side, nearInitiated: boolean, strength: (typeof strengths)[number]): Claim {
  const [end, other] = nearInitiated ? [side.near, side.far] : [side.far, side.near];
  return { end, other, strength: strengths.indexOf(strength), atUs: side.beganUs };
}

type Ends = { initiator: End; responder: End };

function endsOfTranslation({ original, translated }: { original: Tuple; translated: Tuple }): Ends[] {
  return [endsOf(original), endsOf(translated)];
}

function endsOf(tuple: Tuple): Ends {
  return {
    initiator: { address: tuple.initiator, port: tuple.initiatorPort },
    responder: { address: tuple.responder, port: tuple.responderPort },
  };
}

/** Undefined if the side has other ends than these. */
function nearByTranslation({ near, far }: Side, tuples: readonly Ends[]): boolean | undefined {
  for (const { initiator, responder } of tuples) {
    if (isSameEnd(near, initiator) && isSameEnd(far, responder)) return true;
    if (isSameEnd(far, initiator) && isSameEnd(near, responder)) return false;
  }
  return undefined;
}

/** A side of an untranslated Service has one end in common: the initiator's. */
function isNearInitiator(side: Side, tuples: readonly Ends[]): boolean {
  const exact = nearByTranslation(side, tuples);
  if (exact !== undefined) return exact;
  for (const { initiator, responder } of tuples) {
    if (isSameEnd(side.near, initiator) || isSameEnd(side.far, responder)) return true;
    if (isSameEnd(side.far, initiator) || isSameEnd(side.near, responder)) return false;
  }
  return side.nearInitiated;
}

function isSameSide(claim: Claim, first: Claim, tuples: readonly Ends[]): boolean {
  if (isSameEnd(claim.end, first.end)) return true;
  return tuples.some(({ initiator }) => isSameEnd(claim.end, initiator));
}

function isBefore(a: Claim, b: Claim): boolean {
  if (a.atUs !== b.atUs) return a.atUs < b.atUs;
  if (a.end.address !== b.end.address) return a.end.address < b.end.address;
  return a.end.port < b.end.port;
}
