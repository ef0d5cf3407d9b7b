// The subject alternative names of a certificate.
import { X509Certificate } from 'node:crypto';

export type AlternativeName = { type: string; value: string };

/**
 * The names of a certificate (DER or PEM), such as `{ type: 'URI', value: 'waybill://client' }`; empty if it is invalid.
 * Node quotes a name that contains a comma, so that no name can look like two.
 */
export function alternativeNames(raw: Buffer | undefined): AlternativeName[] {
  if (raw === undefined || raw.length === 0) return [];
  let names: string;
  try {
    names = new X509Certificate(raw).subjectAltName ?? '';
  } catch {
    return [];
  }
  return names.split(', ').flatMap((name) => {
    const colon = name.indexOf(':');
    return colon < 0 ? [] : [{ type: name.slice(0, colon), value: name.slice(colon + 1) }];
  });
}
