// What a user can get wrong about a running collector and what is asked of it. Each code is listed in docs/errors.md.
import { type Problem, ProblemError } from '../model/problem.ts';

export const cliProblemCodes = [
  'collector-unreachable',
  'certificate-refused',
  'collector-refused',
  'bad-time-given',
  'bad-input',
  'bad-usage',
  'unexpected-error',
] as const;

export function unreachable(url: string, error: unknown): ProblemError {
  const cause = causeOf(error);
  if (/cert|tls|ssl|alert|self.signed|altname/i.test(`${cause.code} ${cause.message}`)) {
    return new ProblemError({
      code: 'certificate-refused',
      place: `collector ${url}`,
      fault: cause.message.split('\n')[0]!.toLowerCase(),
      mend: 'give --ca, --cert and --key of the authority that the collector trusts',
    });
  }
  return new ProblemError({
    code: 'collector-unreachable',
    place: `collector ${url}`,
    fault: (cause.code ?? cause.message).toLowerCase(),
    mend: 'see that it runs, and give its address by --collector or WAYBILL_COLLECTOR',
  });
}

function causeOf(error: unknown): { message: string; code: string | undefined } {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const { message = String(inner), code } = inner as { message?: string; code?: string };
  return { message, code };
}

export function refused(url: string, status: number, body: string): ProblemError {
  let fault = `it answered ${status}`;
  try {
    fault = (JSON.parse(body) as { error: string }).error;
  } catch {
    // Not the collector's own words: the number must do.
  }
  return new ProblemError({
    code: 'collector-refused',
    place: `collector ${url}`,
    fault,
    mend: 'see that it is a Waybill collector of this version',
  });
}

export function badTime(flag: string, text: string): Problem {
  return {
    code: 'bad-time-given',
    place: flag,
    fault: `"${text}" is no time`,
    mend: 'write a duration before now such as 10m or 2h, or a time such as 2026-01-31T12:00:00Z',
  };
}

export function badInput(file: string, line: number): Problem {
  return {
    code: 'bad-input',
    place: `${file}:${line}`,
    fault: 'is no line of the output of this command',
    mend: 'give what -o json or -o jsonl wrote',
  };
}
