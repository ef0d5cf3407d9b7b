// Certificates of a PEM file: a leaf and who signed it, or several authorities.
import { X509Certificate } from 'node:crypto';

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** In their order; none where one of them cannot be read. */
export function certificatesOf(pem: Buffer): X509Certificate[] {
  try {
    return (pem.toString('latin1').match(block) ?? []).map((text) => new X509Certificate(text));
  } catch {
    return [];
  }
}
