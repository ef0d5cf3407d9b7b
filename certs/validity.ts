// Checks from when and until when certificates are valid: when a program starts, and every day while it runs.
import type { X509Certificate } from 'node:crypto';
import type { Problem } from '../model/problem.ts';
import { certificateEndsSoon, certificateExpired, certificateNotYetValid } from './errors.ts';
import { certificatesOf } from './pem.ts';

/** `place` is the setting or flag that names its file, with the path. */
export type LoadedCertificate = { place: string; role: 'peer' | 'authority'; certificate: X509Certificate };

const dayMs = 86_400_000;
const warnBeforeMs = 30 * dayMs;

/**
 * The program's certificate and the authority that signed it. If the authority file does not have that authority, the one
 * that expires last counts, because the file may still have old ones.
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

/** Reports certificates that expire within 30 days, now and every day until `signal` aborts. */
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
