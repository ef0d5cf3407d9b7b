// Problems at the start of the agent. Each code is listed in docs/errors.md.
import { errorText, type Problem } from '../model/problem.ts';

export const agentProblemCodes = ['cannot-listen'] as const;

export function cannotListen(setting: string, listen: string, error: NodeJS.ErrnoException): Problem {
  const taken = error.code === 'EADDRINUSE';
  return {
    code: 'cannot-listen',
    place: `${setting} ${listen}`,
    fault: taken ? 'another program uses the port' : errorText(error),
    fix: taken ? 'stop that program, or set another port' : 'set an address of this machine and a free port',
  };
}
