// An error that a user can fix, as a value, so that a program can report it in one line and continue.
import { escapeControls } from './escape.ts';

/**
 * `code` is listed in docs/errors.md. `place` is an object with file, line and field, a file with offset, or a setting.
 * `fault` and `fix` are lower case clauses of one line.
 */
export type Problem = { code: string; place: string; fault: string; fix: string };

/** One line, also if a name in it has line breaks: `end-port-below-port: NetworkPolicy shop/db (db.yaml:14, spec.ingress[0].ports[0].endPort): endPort 90 …; set …` */
export function problemLine(problem: Problem): string {
  return escapeControls(`${problem.code}: ${problem.place}: ${problem.fault}; ${problem.fix}`);
}

/** The first line of an error of the system or of a library, starting in lower case, for use as a `fault`. */
export function errorText(error: unknown): string {
  const line = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** Ends a program that cannot continue: exit code 2 and one line on stderr for each problem. */
export class ProblemError extends Error {
  readonly problems: readonly Problem[];
  constructor(...problems: Problem[]) {
    super(problems.map(problemLine).join('\n'));
    this.name = 'ProblemError';
    this.problems = problems;
  }
}
