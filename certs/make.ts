// Development certificates: one authority, the collector's, one for each node's agent, and a client's for the command
// line. Real clusters bring their own; what the names must be stands here.
import 'reflect-metadata'; // what @peculiar/x509 stands on
import { randomBytes, webcrypto } from 'node:crypto';
import { access, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
import { ProblemError } from '../model/problem.ts';
import { certificatesExist } from './errors.ts';
import { nodeUriPrefix } from './node-name.ts';

export type CertificatesWanted = {
  folder: string;
  /** Names of nodes; each gets agent-NAME.crt and agent-NAME.key. */
  nodes: readonly string[];
  /** DNS names and IP addresses that the collector is reached by. */
  servers: readonly string[];
  days: number;
  /** Whether files that are there may be written over. */
  overwrite: boolean;
};

type Authority = { certificate: X509Certificate; keys: webcrypto.CryptoKeyPair };
type Usage = 'server' | 'client';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { subtle } = webcrypto;
cryptoProvider.set(webcrypto as never);

/** Returns the files written. An authority that is in the folder is used again, so that nodes can be added later. */
export async function makeCertificates(wanted: CertificatesWanted): Promise<string[]> {
  const { folder, overwrite } = wanted;
  const named = [
    { name: 'collector', usage: 'server' as const, names: wanted.servers.map(serverName) },
    ...wanted.nodes.map((node) => ({
      name: `agent-${node}`,
      usage: 'client' as const,
      names: [{ type: 'url' as const, value: `${nodeUriPrefix}${node}` }],
    })),
    { name: 'client', usage: 'client' as const, names: [{ type: 'url' as const, value: 'waybill://client' }] },
  ].filter(({ name, names }) => name !== 'collector' || names.length > 0);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const taken: string[] = [];
  for (const { name } of named) if (await isThere(join(folder, `${name}.key`))) taken.push(`${name}.key`);
  if (taken.length > 0 && !overwrite) throw new ProblemError(certificatesExist(folder, taken));
  const written: string[] = [];
  const authority = await authorityOf(folder, wanted.days, written);
  for (const { name, usage, names } of named) {
    const keys = await newKeys();
    const certificate = await sign(name, usage, names, keys, authority, wanted.days);
    written.push(...(await writePair(folder, name, certificate, keys)));
  }
  return written;
}

function serverName(server: string): { type: 'dns' | 'ip'; value: string } {
  return { type: /^[\d.]+$|:/.test(server) ? 'ip' : 'dns', value: server };
}

async function authorityOf(folder: string, days: number, written: string[]): Promise<Authority> {
  const [certPath, keyPath] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  if ((await isThere(certPath)) && (await isThere(keyPath))) {
    const certificate = new X509Certificate(await readFile(certPath, 'utf8'));
    const [raw] = PemConverter.decode(await readFile(keyPath, 'utf8'));
    const privateKey = await subtle.importKey('pkcs8', raw!, algorithm, true, ['sign']);
    const publicKey = await certificate.publicKey.export(algorithm, ['verify']);
    return { certificate, keys: { privateKey, publicKey: publicKey as webcrypto.CryptoKey } };
  }
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=waybill development authority',
    ...validity(days),
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  written.push(...(await writePair(folder, 'ca', certificate, keys)));
  return { certificate, keys };
}

async function sign(
  name: string,
  usage: Usage,
  names: readonly { type: 'dns' | 'ip' | 'url'; value: string }[],
  keys: webcrypto.CryptoKeyPair,
  authority: Authority,
  days: number,
): Promise<X509Certificate> {
  return await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=waybill ${name}`,
    issuer: authority.certificate.subject,
    ...validity(days),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey as never,
    signingKey: authority.keys.privateKey as never,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([...names]),
    ],
  });
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

async function writePair(
  folder: string,
  name: string,
  certificate: X509Certificate,
  keys: webcrypto.CryptoKeyPair,
): Promise<string[]> {
  const key = PemConverter.encode(await subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  await writeFile(join(folder, `${name}.crt`), `${certificate.toString('pem')}\n`);
  await writeFile(join(folder, `${name}.key`), `${key}\n`, { mode: 0o600 });
  await chmod(join(folder, `${name}.key`), 0o600);
  return [`${name}.crt`, `${name}.key`];
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  // Clocks of other machines may be a little behind.
  const notBefore = new Date(Date.now() - 3_600_000);
  return { notBefore, notAfter: new Date(Date.now() + days * 86_400_000) };
}

function serial(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return bytes.toString('hex');
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
