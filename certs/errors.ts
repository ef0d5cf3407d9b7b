// What a user can get wrong about certificates. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const certificateProblemCodes = ['certificates-exist', 'certificate-unreadable'] as const;

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
