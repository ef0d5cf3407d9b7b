// Problems with manifest files and folders. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';
import { reasonOf, systemCode } from '../../model/reason.ts';

export const manifestProblemCodes = [
  'bad-yaml',
  'duplicate-key',
  'duplicate-object',
  'helm-templates',
  'kustomization-not-built',
  'file-too-large',
  'nothing-to-read',
  'cannot-read',
  'cannot-watch-folder',
] as const;

type Code = (typeof manifestProblemCodes)[number];

function problem(code: Code, place: string, fault: string, fix: string): Problem {
  return { code, place, fault, fix };
}

/** `place` is file:line. */
export function badYaml(place: string, reason: string): Problem {
  return problem('bad-yaml', place, `cannot parse as YAML or JSON: ${reasonOf(reason)}`, 'fix the syntax');
}

/** A warning. `place` is file:line of the later key; `more`: the number of later keys that are not reported. */
export function duplicateKey(place: string, key: string, more: number): Problem {
  const others = more === 0 ? '' : ` (and ${more} more keys)`;
  return problem(
    'duplicate-key',
    place,
    `key ${JSON.stringify(shortened(key))} is repeated, and the last value is used${others}`,
    'remove one of the two keys',
  );
}

/** `place` is the later definition, `earlier` the one that it replaces. */
export function duplicateObject(place: string, earlier: string): Problem {
  return problem(
    'duplicate-object',
    place,
    `this definition replaces the one in ${earlier}`,
    'remove one of the two definitions',
  );
}

/** `chart` is its folder; undefined if the templates are outside of any known chart. */
export function helmTemplates(place: string, count: number, chart: string | undefined): Problem {
  return problem(
    'helm-templates',
    place,
    `found ${count} unrendered Helm ${count === 1 ? 'template' : 'templates'}`,
    `run helm template${chart === undefined ? '' : ` ${chart}`} and use its output`,
  );
}

export function kustomizationNotBuilt(place: string, folder: string, changes: readonly string[]): Problem {
  return problem(
    'kustomization-not-built',
    place,
    `these changes are not applied: ${changes.join(', ')}`,
    `run kubectl kustomize ${folder} and use its output`,
  );
}

/** `maxJsonBytes` where a JSON file may be larger than a file of this format. */
export function fileTooLarge(file: string, bytes: number, maxBytes: number, maxJsonBytes?: number): Problem {
  const split = 'split it, for example by namespace';
  return problem(
    'file-too-large',
    file,
    `the file has ${toMib(bytes)} MiB, more than ${toMib(maxBytes)} MiB`,
    maxJsonBytes === undefined
      ? split
      : `use JSON (kubectl get -o json) of at most ${toMib(maxJsonBytes)} MiB, or ${split}`,
  );
}

export function nothingToRead(path: string, ignored: number): Problem {
  const others = ignored === 0 ? '' : ` (ignored ${ignored} of other kinds)`;
  return problem(
    'nothing-to-read',
    path,
    `found no objects to evaluate${others}`,
    'give the folder with the manifests of policies, namespaces and pods or workloads',
  );
}

export function cannotRead(file: string, error: unknown): Problem {
  if (systemCode(error) !== 'ENOENT') return problem('cannot-read', file, reasonOf(error), accessAdvice(error));
  const advice = 'give the path of a manifest or of a folder with manifests';
  return problem('cannot-read', file, 'no such file or folder', advice);
}

export function cannotWatchFolder(path: string, error: unknown, rescanMs: number): Problem {
  const limitReached = ['ENOSPC', 'EMFILE'].includes(systemCode(error));
  return problem(
    'cannot-watch-folder',
    path,
    `cannot watch for changes, reading the folder every ${rescanMs / 1000} s: ${reasonOf(error)}`,
    limitReached ? 'raise sysctl fs.inotify.max_user_watches and fs.inotify.max_user_instances' : accessAdvice(error),
  );
}

function accessAdvice(error: unknown): string {
  const denied = ['EACCES', 'EPERM'].includes(systemCode(error));
  return denied ? 'run as a user that can read it' : 'check the path and its file system';
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function toMib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
