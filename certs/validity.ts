// From when and until when certificates are valid. A program reads its own when it starts, so it asks then, and goes on to
// tell of their end.
import type { X509Certificate } from 'node:crypto';
import type { Problem } from '../model/problem.ts';
import { certificateEndsSoon, certificateExpired, certificateNotYetValid } from './errors.ts';
import { certificatesOf } from './pem.ts';

/** `place` is the setting or flag that names its file, with the path. */
export type Held = { place: string; of: 'peer' | 'authority'; certificate: X509Certificate };

const dayMs = 86_400_000;
const soonMs = 30 * dayMs;

/**
 * Its own certificate, and the authority that signed it. Of an authority file that does not hold that one, the certificate
 * that ends last counts: others may be there from before, until the authority is rolled.
 */
export function heldBy(tls: { ca: Buffer; cert: Buffer }, place: (of: 'ca' | 'cert') => string): Held[] {
  const [own] = certificatesOf(tls.cert);
  const authorities = certificatesOf(tls.ca).sort((a, b) => b.validToDate.getTime() - a.validToDate.getTime());
  const authority = authorities.find((one) => own?.checkIssued(one) && own.verify(one.publicKey)) ?? authorities[0];
  return [
    ...(own === undefined ? [] : [{ place: place('cert'), of: 'peer' as const, certificate: own }]),
    ...(authority === undefined ? [] : [{ place: place('ca'), of: 'authority' as const, certificate: authority }]),
  ];
}

export function notValidAt(nowMs: number, held: readonly Held[]): Problem[] {
  return held.flatMap(({ place, of, certificate }) => {
    if (certificate.validToDate.getTime() < nowMs) return [certificateExpired(place, of, certificate.validToDate)];
    if (certificate.validFromDate.getTime() <= nowMs) return [];
    return [certificateNotYetValid(place, certificate.validFromDate, new Date(nowMs))];
  });
}

export function endingSoonAt(nowMs: number, held: readonly Held[]): Problem[] {
  return held.flatMap(({ place, of, certificate }) => {
    const leftMs = certificate.validToDate.getTime() - nowMs;
    return leftMs >= 0 && leftMs < soonMs ? [certificateEndsSoon(place, of, certificate.validToDate)] : [];
  });
}

/** Tells now, and every day until `signal`, of what ends within 30 days or has ended. */
export function watchEnds(held: readonly Held[], tell: (problem: Problem) => void, signal: AbortSignal): void {
  const look = () => [...notValidAt(Date.now(), held), ...endingSoonAt(Date.now(), held)].forEach(tell);
  look();
  const timer = setInterval(look, dayMs).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
