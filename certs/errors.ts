// What a user can get wrong about certificates. Each code is listed in docs/errors.md.
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
    fault: `${files.join(', ')} would be written over`,
    fix: 'give another folder, or --force',
  };
}

/** `daysLeft`: for how many whole days it can still sign; none where it has ended, or does so today. */
export function authorityEnds(path: string, ends: Date, days: number, daysLeft: number): Problem {
  const rollFix = 'make a new one with --new-authority (docs/install.md has the steps)';
  return {
    code: 'authority-ends',
    place: path,
    fault: `this authority ends at ${timeText(ends)}, and certificates of ${days} days would outlive it`,
    fix: daysLeft < 1 ? rollFix : `set --days ${daysLeft} or less, or ${rollFix}`,
  };
}

export function cannotWrite(path: string, error: NodeJS.ErrnoException): Problem {
  const fault = writeFaults[error.code ?? ''] ?? `it cannot be written (${error.code ?? error.message})`;
  return { code: 'cannot-write', place: path, fault, fix: 'give a folder that you may write to' };
}

const writeFaults: Record<string, string> = {
  EEXIST: 'it is there, and is no folder',
  ENOTDIR: 'what stands before it is no folder',
  ENOENT: 'no folder can be made there',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'nothing can be written there',
  EISDIR: 'it is a folder',
  ENOSPC: 'there is no room left',
};

export function certificateExpired(place: string, role: 'peer' | 'authority', ended: Date): Problem {
  return { code: 'certificate-expired', place, fault: `it ended at ${timeText(ended)}`, fix: renewalFix[role] };
}

export function certificateEndsSoon(place: string, role: 'peer' | 'authority', ends: Date): Problem {
  return { code: 'certificate-ends-soon', place, fault: `it ends at ${timeText(ends)}`, fix: renewalFix[role] };
}

export function certificateNotYetValid(place: string, begins: Date, now: Date): Problem {
  return {
    code: 'certificate-not-yet-valid',
    place,
    fault: `it is valid from ${timeText(begins)}, and this machine’s clock says ${timeText(now)}`,
    fix: 'set the clock right, or wait until then',
  };
}

/** `named`: the node that it names, if any. */
export function certificateOfAnotherNode(place: string, namedNode: string | undefined, node: string): Problem {
  const names = namedNode === undefined ? 'it names no node' : `it names node ${namedNode}`;
  return {
    code: 'certificate-of-another-node',
    place,
    fault: `${names}, and node.name is ${node}`,
    fix: `give that of ${node} (waybill certs --node ${node}), or set node.name`,
  };
}

const renewalFix = {
  peer: 'make a new one by the same authority (waybill certs --force, for development) and start again',
  authority: 'roll the authority as docs/install.md says (waybill certs --new-authority, for development)',
};

export function certificateUnreadable(setting: string, path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'certificate-unreadable',
    place: `${setting} ${path}`,
    fault: `cannot be read (${error.code ?? error.message})`,
    fix: 'give the path of a PEM file; waybill certs makes some for development',
  };
}

export function authorityUnreadable(path: string, error: NodeJS.ErrnoException): Problem {
  return {
    code: 'certificate-unreadable',
    place: path,
    fault: `cannot be read (${error.code ?? error.message}), so that nothing can be signed by this authority`,
    fix: 'bring the file back, or make another authority with --new-authority',
  };
}

export function authorityUnusable(path: string, fault: string): Problem {
  return {
    code: 'certificate-unusable',
    place: path,
    fault,
    fix: 'bring back ca.crt and ca.key that waybill certs made together, or make another with --new-authority',
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

function unusable(setting: string, path: string, fault: string, fix: string): Problem {
  return { code: 'certificate-unusable', place: `${setting} ${path}`, fault, fix };
}

/** To the second, as certificates count. */
function timeText(time: Date): string {
  return time.toISOString().replace(/\.\d+/, '');
}
