// From when and until when certificates are valid. A program reads its own when it starts, so it asks then, and goes on to
// tell of their end.
import type { X509Certificate } from 'node:crypto';
import type { Problem } from '../model/problem.ts';
import { certificateEndsSoon, certificateExpired, certificateNotYetValid } from './errors.ts';
import { certificatesOf } from './pem.ts';

/** `place` is the setting or flag that names its file, with the path. */
export type LoadedCertificate = { place: string; role: 'peer' | 'authority'; certificate: X509Certificate };

const dayMs = 86_400_000;
const warnBeforeMs = 30 * dayMs;

/**
 * Its own certificate, and the authority that signed it. Of an authority file that does not hold that one, the certificate
 * that ends last counts: others may be there from before, until the authority is rolled.
 */
export function loadedCertificates(
  tls: { ca: Buffer; cert: Buffer },
  place: (file: 'ca' | 'cert') => string,
): LoadedCertificate[] {
  const [leaf] = certificatesOf(tls.cert);
  const authorities = certificatesOf(tls.ca).sort((a, b) => b.validToDate.getTime() - a.validToDate.getTime());
  const authority = authorities.find((one) => leaf?.checkIssued(one) && leaf.verify(one.publicKey)) ?? authorities[0];
  return [
    ...(leaf === undefined ? [] : [{ place: place('cert'), role: 'peer' as const, certificate: leaf }]),
    ...(authority === undefined ? [] : [{ place: place('ca'), role: 'authority' as const, certificate: authority }]),
  ];
}

export function notValidAt(nowMs: number, certificates: readonly LoadedCertificate[]): Problem[] {
  return certificates.flatMap(({ place, role, certificate }) => {
    if (certificate.validToDate.getTime() < nowMs) return [certificateExpired(place, role, certificate.validToDate)];
    if (certificate.validFromDate.getTime() <= nowMs) return [];
    return [certificateNotYetValid(place, certificate.validFromDate, new Date(nowMs))];
  });
}

export function expiringSoonAt(nowMs: number, certificates: readonly LoadedCertificate[]): Problem[] {
  return certificates.flatMap(({ place, role, certificate }) => {
    const remainingMs = certificate.validToDate.getTime() - nowMs;
    return remainingMs >= 0 && remainingMs < warnBeforeMs
      ? [certificateEndsSoon(place, role, certificate.validToDate)]
      : [];
  });
}

/** Tells now, and every day until `signal`, of what ends within 30 days or has ended. */
export function watchExpiry(
  certificates: readonly LoadedCertificate[],
  report: (problem: Problem) => void,
  signal: AbortSignal,
): void {
  const check = () =>
    [...notValidAt(Date.now(), certificates), ...expiringSoonAt(Date.now(), certificates)].forEach(report);
  check();
  const timer = setInterval(check, dayMs).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
