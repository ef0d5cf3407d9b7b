// Certificates and keys as the programs read them, everything that is wrong with them named at once.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Problem, ProblemError } from '../model/problem.ts';
import { certificateOfAnotherNode, certificateUnreadable, keyOfAnother, noCertificate, noKey } from './errors.ts';
import { nodeOfCertificate } from './node-name.ts';
import { type LoadedCertificate, loadedCertificates, notValidAt } from './validity.ts';

export type TlsCredentials = { ca: Buffer; cert: Buffer; key: Buffer };

type Paths = { ca: string; cert: string; key: string };

/** Throws a ProblemError, also for what is not valid now; `paths` by setting, as `tls.ca`. */
export function readTlsCredentials(paths: Paths, nowMs = Date.now()): TlsCredentials {
  const problems: Problem[] = [];
  const read = <Read>(name: keyof Paths, check: (pem: Buffer) => Read, unusable: typeof noKey) => {
    let pem: Buffer;
    try {
      pem = readFileSync(paths[name]);
    } catch (error) {
      problems.push(certificateUnreadable(`tls.${name}`, paths[name], error as NodeJS.ErrnoException));
      return undefined;
    }
    try {
      return { pem, value: check(pem) };
    } catch {
      problems.push(unusable(`tls.${name}`, paths[name]));
      return undefined;
    }
  };
  const ca = read('ca', certificateOf, noCertificate);
  const cert = read('cert', certificateOf, noCertificate);
  const key = read('key', keyOf, noKey);
  if (cert !== undefined && key !== undefined && !cert.value.checkPrivateKey(key.value)) {
    problems.push(keyOfAnother('tls.key', paths.key, paths.cert));
  }
  if (ca === undefined || cert === undefined || key === undefined || problems.length > 0) {
    throw new ProblemError(...problems);
  }
  const tls = { ca: ca.pem, cert: cert.pem, key: key.pem };
  problems.push(...notValidAt(nowMs, loadedCertificatesFrom(tls, paths)));
  if (problems.length > 0) throw new ProblemError(...problems);
  return tls;
}

/** The same for the agent of a node: the collector would refuse it with the certificate of another. */
export function readNodeTlsCredentials(paths: Paths, node: string): TlsCredentials {
  const tls = readTlsCredentials(paths);
  const namedNode = nodeOfCertificate(tls.cert);
  if (namedNode !== node) throw new ProblemError(certificateOfAnotherNode(`tls.cert ${paths.cert}`, namedNode, node));
  return tls;
}

/** What of it begins and ends, by the settings that name the files. */
export function loadedCertificatesFrom(tls: TlsCredentials, paths: Paths): LoadedCertificate[] {
  return loadedCertificates(tls, (name) => `tls.${name} ${paths[name]}`);
}

/** The first of the file; throws where it holds none. */
function certificateOf(pem: Buffer): X509Certificate {
  return new X509Certificate(pem);
}

function keyOf(pem: Buffer): KeyObject {
  return createPrivateKey(pem);
}
