// Errors of listening. Each code is listed in docs/errors.md.
import { errorText, type Problem } from '../../model/problem.ts';

export const listenProblemCodes = ['cannot-listen'] as const;

/** `cause` is the message of the system or of gRPC. */
export function listenProblem(setting: string, listen: string, cause: string): Problem {
  const portInUse = /EADDRINUSE|address already in use/i.test(cause);
  const addressNotLocal = /EADDRNOTAVAIL/i.test(cause);
  return {
    code: 'cannot-listen',
    place: `${setting} ${listen}`,
    fault: portInUse
      ? 'another program uses the port'
      : addressNotLocal
        ? 'this machine does not have the address'
        : errorText(cause),
    fix: portInUse ? 'stop that program, or set another port' : 'set an address of this machine and a free port',
  };
}
