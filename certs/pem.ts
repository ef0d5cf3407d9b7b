// Reads the certificates of a PEM file: a certificate and its issuers, or several authorities.
import { X509Certificate } from 'node:crypto';

/** OpenSSL treats these labels alike. */
const pemCertificate =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** In the order of the file. Unreadable certificates are skipped. */
export function certificatesOf(pem: Buffer): X509Certificate[] {
  return (pem.toString('latin1').match(pemCertificate) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}
