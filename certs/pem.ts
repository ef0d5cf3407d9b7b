// Certificates of a PEM file: a leaf and who signed it, or several authorities.
import { X509Certificate } from 'node:crypto';

/** OpenSSL writes the other labels too, and reads them alike. */
const pemCertificate =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** In their order, less what cannot be read. */
export function certificatesOf(pem: Buffer): X509Certificate[] {
  return (pem.toString('latin1').match(pemCertificate) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}
