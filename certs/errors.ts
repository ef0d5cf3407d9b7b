// What a user can get wrong about certificates. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const certificateProblemCodes = [
  'certificates-exist',
  'certificate-unreadable',
  'certificate-unusable',
] as const;

export function certificatesExist(folder: string, files: readonly string[]): Problem {
  return {
    code: 'certificates-exist',
    place: folder,
    fault: `${files.join(', ')} would be written over`,
    mend: 'give another folder, or --force',
  };
}

export function certificateUnreadable(setting: string, path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'certificate-unreadable',
    place: `${setting} ${path}`,
    fault: `cannot be read (${error.code ?? error.message})`,
    mend: 'give the path of a PEM file; waybill certs makes some for development',
  };
}

export function noCertificate(setting: string, path: string): Problem {
  return unusable(
    setting,
    path,
    'it holds no certificate',
    'give a PEM file that begins with -----BEGIN CERTIFICATE-----',
  );
}

export function noKey(setting: string, path: string): Problem {
  return unusable(
    setting,
    path,
    'it holds no private key, or one with a passphrase',
    'give a PEM file with the plain key',
  );
}

export function keyOfAnother(setting: string, path: string, certificate: string): Problem {
  return unusable(
    setting,
    path,
    `it does not belong to the certificate in ${certificate}`,
    'give the two that were made together',
  );
}

function unusable(setting: string, path: string, fault: string, mend: string): Problem {
  return { code: 'certificate-unusable', place: `${setting} ${path}`, fault, mend };
}
