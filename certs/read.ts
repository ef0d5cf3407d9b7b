// Reads the certificates and keys of the agent and the collector, and reports all problems together.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Problem, ProblemError } from '../model/problem.ts';
import { certificateOfAnotherNode, certificateUnreadable, keyOfAnother, noCertificate, noKey } from './errors.ts';
import { nodeOfCertificate } from './node-name.ts';
import { type LoadedCertificate, loadedCertificates, notValidAt } from './validity.ts';

export type TlsCredentials = { ca: Buffer; cert: Buffer; key: Buffer };

type Paths = { ca: string; cert: string; key: string };

/** Throws a ProblemError for files that are unreadable, do not belong together or are not valid now. */
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

/** Also checks that the certificate names the node of this agent, because the collector refuses any other. */
export function readNodeTlsCredentials(paths: Paths, node: string): TlsCredentials {
  const tls = readTlsCredentials(paths);
  const namedNode = nodeOfCertificate(tls.cert);
  if (namedNode !== node) throw new ProblemError(certificateOfAnotherNode(`tls.cert ${paths.cert}`, namedNode, node));
  return tls;
}

/** Names each certificate by its setting. */
export function loadedCertificatesFrom(tls: TlsCredentials, paths: Paths): LoadedCertificate[] {
  return loadedCertificates(tls, (name) => `tls.${name} ${paths[name]}`);
}

/** The first certificate of the file. Throws if it has none. */
function certificateOf(pem: Buffer): X509Certificate {
  return new X509Certificate(pem);
}

function keyOf(pem: Buffer): KeyObject {
  return createPrivateKey(pem);
}
