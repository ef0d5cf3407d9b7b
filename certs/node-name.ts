// Who a certificate speaks for: its subject alternative name holds one URI, waybill://node/NAME for an agent.
import { X509Certificate } from 'node:crypto';

export const nodeUriPrefix = 'waybill://node/';

/** The node an agent's certificate (DER) names; undefined where it names none, more than one, or is no certificate. */
export function nodeOfCertificate(raw: Buffer | undefined): string | undefined {
  const names = uriNames(raw).filter((uri) => uri.startsWith(nodeUriPrefix));
  const node = names[0]?.slice(nodeUriPrefix.length);
  return names.length === 1 && node !== undefined && /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(node)
    ? node
    : undefined;
}

function uriNames(raw: Buffer | undefined): string[] {
  if (raw === undefined) return [];
  try {
    const names = new X509Certificate(raw).subjectAltName ?? '';
    return names.split(', ').flatMap((name) => (name.startsWith('URI:') ? [name.slice('URI:'.length)] : []));
  } catch {
    return [];
  }
}
