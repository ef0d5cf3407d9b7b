// The node of an agent's certificate: its subject alternative name has the URI waybill://node/NAME.
import { alternativeNames } from './alternative-names.ts';

export const nodeUriPrefix = 'waybill://node/';

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const subdomain = new RegExp(`^${label}(?:\\.${label})*$`);

/** Kubernetes allows DNS subdomains of RFC 1123. */
export function isNodeName(text: string): boolean {
  return text.length <= 253 && subdomain.test(text);
}

/** The node in a certificate (DER or PEM). Undefined if it names no node or several, or is invalid. */
export function nodeOfCertificate(raw: Buffer | undefined): string | undefined {
  const names = alternativeNames(raw)
    .filter(({ type, value }) => type === 'URI' && value.startsWith(nodeUriPrefix))
    .map(({ value }) => value);
  const node = names[0]?.slice(nodeUriPrefix.length);
  return names.length === 1 && node !== undefined && isNodeName(node) ? node : undefined;
}
