// The flags that name files and folders of manifests. Several paths are read together, as `kubectl -f a -f b` reads them.
import { Option } from 'commander';
import { type Paths, pathList } from '../cluster/manifests/read.ts';
import { ProblemError } from '../model/problem.ts';
import { stdinPath } from '../model/stdin.ts';
import { badFlag } from './errors.ts';

export function clusterOption(): Option {
  const help =
    'File or folder of manifests (required; read recursively); - for stdin (repeatable; the last definition counts)';
  return pathsOption('--cluster <path>', help).makeOptionMandatory();
}

/** Its help must say what the paths are for. */
export function pathsOption(flags: string, help: string): Option {
  const add = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];
  return new Option(flags, help).argParser(add);
}

export function pathsText(paths: Paths): string {
  return pathList(paths).join(', ');
}

export function includesStdin(paths: Paths): boolean {
  return pathList(paths).includes(stdinPath);
}

/** Throws a ProblemError if stdin would be read twice. */
export function checkStdinOnce(...all: Paths[]): void {
  if (all.flatMap(pathList).filter((path) => path === stdinPath).length < 2) return;
  throw new ProblemError(badFlag(stdinPath, 'stdin can be read only once', 'give files or folders for the others'));
}
