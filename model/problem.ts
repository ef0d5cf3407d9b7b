// What a user got wrong, as a value: the rest goes on, and one line names the thing and the fix.

/**
 * `code` is listed in docs/errors.md. `place` names the thing: an object with file, line and field, a file with
 * offset, a setting. Both sentences are lower case, one line, in the user's words.
 */
export type Problem = { code: string; place: string; fault: string; fix: string };

/** `end-port-below-port: NetworkPolicy shop/db (db.yaml:14, spec.ingress[0].ports[0].endPort): endPort 90 …; set …` */
export function problemLine(problem: Problem): string {
  return `${problem.code}: ${problem.place}: ${problem.fault}; ${problem.fix}`;
}

/** What the system or a library says of an error, as a fault: its first line, which begins small, and no more of it. */
export function errorText(error: unknown): string {
  const line = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** Carries a Problem out of a program that cannot go on: exit code 2 and one line on stderr. */
export class ProblemError extends Error {
  readonly problems: readonly Problem[];
  constructor(...problems: Problem[]) {
    super(problems.map(problemLine).join('\n'));
    this.name = 'ProblemError';
    this.problems = problems;
  }
}
