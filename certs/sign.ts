// Creates keys, authorities and the certificates that they sign, with @peculiar/x509.
import 'reflect-metadata'; // needed by @peculiar/x509
import { randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** `pem` is the certificate. */
export type Authority = { pem: string; subject: string; notAfter: Date; key: webcrypto.CryptoKey };

/** A certificate and its key, both PEM. */
export type CertificateAndKey = { certificate: string; key: string };

export type LeafCertificate = {
  /** The common name of the subject. No check depends on it. */
  name: string;
  usage: 'server' | 'client';
  altNames: readonly { type: 'dns' | 'ip' | 'url'; value: string }[];
};

const dayMs = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { subtle } = webcrypto;
cryptoProvider.set(webcrypto as never);

/** In whole seconds, because certificates have no milliseconds. */
export function expiryAfterDays(days: number, nowMs: number): Date {
  return new Date(Math.floor((nowMs + days * dayMs) / 1000) * 1000);
}

/** Throws if the key is invalid, or not of `algorithm`. */
export async function authorityOf(pem: string, keyPem: string): Promise<Authority> {
  const { subject, notAfter } = new X509Certificate(pem);
  const [raw] = PemConverter.decode(keyPem);
  return { pem, subject, notAfter, key: await subtle.importKey('pkcs8', raw!, algorithm, true, ['sign']) };
}

export async function makeAuthority(notAfter: Date): Promise<{ authority: Authority; pair: CertificateAndKey }> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    // Several authorities may be trusted at the same time, so each needs its own name.
    name: `CN=waybill development authority ${randomBytes(4).toString('hex')}`,
    notBefore: backdatedStart(),
    notAfter,
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const pair = await toPem(certificate, keys);
  return { authority: await authorityOf(pair.certificate, pair.key), pair };
}

export async function sign(
  { name, usage, altNames }: LeafCertificate,
  authority: Authority,
  notAfter: Date,
): Promise<CertificateAndKey> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: `CN=waybill ${name}`,
    issuer: authority.subject,
    notBefore: backdatedStart(),
    notAfter,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey as never,
    signingKey: authority.key as never,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([...altNames]),
    ],
  });
  return toPem(certificate, keys);
}

async function toPem(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<CertificateAndKey> {
  const key = PemConverter.encode(await subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { certificate: certificate.toString('pem'), key };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

/** Tolerates machines whose clocks are up to an hour behind. */
function backdatedStart(): Date {
  return new Date(Date.now() - 3_600_000);
}

function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return bytes.toString('hex');
}
