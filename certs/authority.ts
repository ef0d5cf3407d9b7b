// The authority of a folder: ca.key and ca.crt. During a rotation, ca.crt has the new certificate first and the old ones
// after it, so a program with this file trusts certificates of both.
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../model/problem.ts';
import { authorityUnreadable, authorityUnusable } from './errors.ts';
import { exists, writeCertificates, writeKey } from './folder.ts';
import { certificatesOf } from './pem.ts';
import { type Authority, authorityOf, expiryAfterDays, makeAuthority } from './sign.ts';

/** Ten years, as kubeadm's, because a rotation takes three steps on every node. */
const authorityDays = 3650;

/** Undefined if the folder has no authority. An authority that cannot sign is a ProblemError, and is never replaced. */
export async function readAuthority(folder: string): Promise<Authority | undefined> {
  const { certPath, keyPath } = pathsIn(folder);
  if (!(await exists(certPath)) && !(await exists(keyPath))) return undefined;
  const [certificate] = certificatesOf(await readAuthorityFile(certPath));
  if (certificate === undefined) throw new ProblemError(authorityUnusable(certPath, 'it contains no certificate'));
  const keyPem = await readAuthorityFile(keyPath);
  if (!keyMatches(certificate, keyPem)) {
    throw new ProblemError(authorityUnusable(keyPath, `it is not the key of the first certificate in ${certPath}`));
  }
  return authorityOf(certificate.toString(), keyPem.toString()).catch(() => {
    throw new ProblemError(authorityUnusable(keyPath, 'it is not an ECDSA P-256 key'));
  });
}

/** Existing authorities stay trusted until they expire. Their keys are overwritten, so they sign nothing again. */
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
