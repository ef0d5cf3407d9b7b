// Problems with certificates. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const certificateProblemCodes = [
  'authority-ends',
  'cannot-write',
  'certificates-exist',
  'certificate-ends-soon',
  'certificate-expired',
  'certificate-not-yet-valid',
  'certificate-of-another-node',
  'certificate-unreadable',
  'certificate-unusable',
] as const;

export function certificatesExist(folder: string, files: readonly string[]): Problem {
  return {
    code: 'certificates-exist',
    place: folder,
    fault: `${files.join(', ')} would be overwritten`,
    fix: 'use another --out folder, or --force',
  };
}

/** `daysLeft`: the whole days until the authority expires; below 1 if it expires today or has expired. */
export function authorityEnds(path: string, ends: Date, days: number, daysLeft: number): Problem {
  const rotateFix = 'create a new authority with --new-authority (docs/install.md has the steps)';
  return {
    code: 'authority-ends',
    place: path,
    fault: `this authority expires at ${timeText(ends)}, earlier than a certificate of ${days} days would`,
    fix: daysLeft < 1 ? rotateFix : `set --days ${daysLeft} or less, or ${rotateFix}`,
  };
}

export function cannotWrite(path: string, error: NodeJS.ErrnoException): Problem {
  const fault = writeFaults[error.code ?? ''] ?? `cannot be written (${error.code ?? error.message})`;
  return { code: 'cannot-write', place: path, fault, fix: 'set --out to a folder that you can write to' };
}

const writeFaults: Record<string, string> = {
  EEXIST: 'it exists and is not a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOENT: 'no folder can be created here',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ENOSPC: 'no space left on the device',
};

export function certificateExpired(place: string, role: 'peer' | 'authority', ended: Date): Problem {
  return { code: 'certificate-expired', place, fault: `it expired at ${timeText(ended)}`, fix: renewalFix[role] };
}

export function certificateEndsSoon(place: string, role: 'peer' | 'authority', ends: Date): Problem {
  return { code: 'certificate-ends-soon', place, fault: `it expires at ${timeText(ends)}`, fix: renewalFix[role] };
}

export function certificateNotYetValid(place: string, begins: Date, now: Date): Problem {
  return {
    code: 'certificate-not-yet-valid',
    place,
    fault: `it is valid from ${timeText(begins)}, and this machine’s clock shows ${timeText(now)}`,
    fix: 'correct the clock, or wait until then',
  };
}

/** `namedNode`: the node in the certificate; undefined if it names no node. */
export function certificateOfAnotherNode(place: string, namedNode: string | undefined, node: string): Problem {
  const names = namedNode === undefined ? 'it names no node' : `it names node ${namedNode}`;
  return {
    code: 'certificate-of-another-node',
    place,
    fault: `${names}, and node.name is ${node}`,
    fix: `use the certificate of ${node} (waybill certs --node ${node}), or correct node.name`,
  };
}

const renewalFix = {
  peer: 'issue a new one from the same authority (for development: waybill certs --force) and restart the program',
  authority: 'rotate the authority as docs/install.md describes (for development: waybill certs --new-authority)',
};

export function certificateUnreadable(setting: string, path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'certificate-unreadable',
    place: `${setting} ${path}`,
    fault: `cannot be read (${error.code ?? error.message})`,
    fix: 'set the path of a PEM file (for development: waybill certs)',
  };
}

export function authorityUnreadable(path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'certificate-unreadable',
    place: path,
    fault: `cannot be read (${error.code ?? error.message}), so this authority cannot sign`,
    fix: 'restore the file, or create a new authority with --new-authority',
  };
}

export function authorityUnusable(path: string, fault: string): Problem {
  return {
    code: 'certificate-unusable',
    place: path,
    fault,
    fix: 'restore the ca.crt and ca.key that were created together, or create a new authority with --new-authority',
  };
}

export function noCertificate(setting: string, path: string): Problem {
  return unusable(
    setting,
    path,
    'it contains no certificate',
    'give a PEM file that begins with -----BEGIN CERTIFICATE-----',
  );
}

export function noKey(setting: string, path: string): Problem {
  return unusable(
    setting,
    path,
    'it contains no private key, or one with a passphrase',
    'give a PEM file with an unencrypted private key',
  );
}

export function keyOfAnother(setting: string, path: string, certificate: string): Problem {
  return unusable(
    setting,
    path,
    `it does not belong to the certificate in ${certificate}`,
    'give a certificate and a key that were created together',
  );
}

function unusable(setting: string, path: string, fault: string, fix: string): Problem {
  return { code: 'certificate-unusable', place: `${setting} ${path}`, fault, fix };
}

/** Without milliseconds, because certificates have none. */
function timeText(time: Date): string {
  return time.toISOString().replace(/\.\d+/, '');
}
