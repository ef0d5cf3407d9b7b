// The authority of a folder: ca.key and ca.crt. While one is rolled, ca.crt holds the new one and behind it those before,
// so that whoever trusts the file trusts what either signed.
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../model/problem.ts';
import { authorityUnreadable, authorityUnusable } from './errors.ts';
import { exists, writeCertificates, writeKey } from './folder.ts';
import { certificatesOf } from './pem.ts';
import { type Authority, authorityOf, expiryAfterDays, makeAuthority } from './sign.ts';

/** As kubeadm's: it outlives what it signs many times over, since to roll it takes three steps on every node. */
const authorityDays = 3650;

/** Undefined where the folder has none; one that is there and cannot sign is a ProblemError, and never replaced. */
export async function readAuthority(folder: string): Promise<Authority | undefined> {
  const { certPath, keyPath } = pathsIn(folder);
  if (!(await exists(certPath)) && !(await exists(keyPath))) return undefined;
  const [certificate] = certificatesOf(await readAuthorityFile(certPath));
  if (certificate === undefined) throw new ProblemError(authorityUnusable(certPath, 'it holds no certificate'));
  const keyPem = await readAuthorityFile(keyPath);
  if (!keyMatches(certificate, keyPem)) {
    throw new ProblemError(authorityUnusable(keyPath, `it is not the key of the first certificate in ${certPath}`));
  }
  return authorityOf(certificate.toString(), keyPem.toString()).catch(() => {
    throw new ProblemError(authorityUnusable(keyPath, 'it is no ECDSA key on P-256'));
  });
}

/** Authorities that are there and have not ended stay trusted. Their keys are gone: they sign nothing more. */
export async function addAuthority(folder: string, nowMs: number): Promise<Authority> {
  const { certPath, keyPath } = pathsIn(folder);
  const existing = (await exists(certPath)) ? certificatesOf(await readAuthorityFile(certPath)) : [];
  const trusted = existing.filter((certificate) => certificate.validToDate.getTime() > nowMs);
  const { authority, pair } = await makeAuthority(expiryAfterDays(authorityDays, nowMs));
  await writeCertificates(certPath, [pair.certificate, ...trusted.map((one) => one.toString().trim())]);
  await writeKey(keyPath, pair.key);
  return authority;
}

function pathsIn(folder: string): { certPath: string; keyPath: string } {
  return { certPath: join(folder, 'ca.crt'), keyPath: join(folder, 'ca.key') };
}

function readAuthorityFile(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw new ProblemError(authorityUnreadable(path, error as NodeJS.ErrnoException));
  });
}

function keyMatches(certificate: X509Certificate, keyPem: Buffer): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}
