// What can be wrong with manifest files and folders. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';
import { reasonOf, systemCode } from '../reason.ts';

export const manifestProblemCodes = [
  'bad-yaml',
  'duplicate-object',
  'helm-templates',
  'kustomization-not-built',
  'file-too-large',
  'cannot-read',
  'cannot-watch-folder',
  'nothing-to-read',
] as const;

type Code = (typeof manifestProblemCodes)[number];

function at(place: string, problem: { code: Code; fault: string; mend: string }): Problem {
  return { place, ...problem };
}

/** `place` is file:line. */
export function badYaml(place: string, reason: string): Problem {
  return at(place, {
    code: 'bad-yaml',
    fault: `cannot be read as YAML or JSON: ${reasonOf(reason)}`,
    mend: 'mend the syntax',
  });
}

export function duplicateObject(place: string, former: string): Problem {
  return at(place, {
    code: 'duplicate-object',
    fault: `the same object stands in ${former} too; this one counts`,
    mend: 'keep one of them',
  });
}

/** `chart` is its folder; undefined where none is in sight. */
export function helmTemplates(place: string, count: number, chart: string | undefined): Problem {
  return at(place, {
    code: 'helm-templates',
    fault: `${count} Helm ${count === 1 ? 'template cannot be read as it is' : 'templates cannot be read as they are'}`,
    mend: `run helm template${chart === undefined ? '' : ` ${chart}`}, and give what it writes`,
  });
}

export function kustomizationNotBuilt(place: string, folder: string, changes: readonly string[]): Problem {
  return at(place, {
    code: 'kustomization-not-built',
    fault: `what it changes is not applied: ${changes.join(', ')}`,
    mend: `run kubectl kustomize ${folder}, and give what it writes`,
  });
}

/** `jsonMost` where that is more than a file of this format may have. */
export function fileTooLarge(file: string, bytes: number, most: number, jsonMost?: number): Problem {
  const split = 'split it, one namespace a file';
  return at(file, {
    code: 'file-too-large',
    fault: `${toMib(bytes)} MiB are more than ${toMib(most)}`,
    mend:
      jsonMost === undefined
        ? split
        : `give a .json file (kubectl get -o json), which may have ${toMib(jsonMost)} MiB, or ${split}`,
  });
}

export function nothingToRead(path: string, passedOver: number): Problem {
  const others = passedOver === 0 ? '' : ` (${passedOver} of other kinds)`;
  return at(path, {
    code: 'nothing-to-read',
    fault: `no object is there that anything could be said of${others}`,
    mend: 'give the folder with the manifests of policies, namespaces and pods or workloads',
  });
}

export function cannotRead(file: string, error: unknown): Problem {
  const missing = systemCode(error) === 'ENOENT';
  return at(file, {
    code: 'cannot-read',
    fault: missing ? 'there is no such file or folder' : reasonOf(error),
    mend: missing ? 'give the path of a manifest or of a folder of manifests' : 'make it readable',
  });
}

export function cannotWatchFolder(path: string, error: unknown, rescanMs: number): Problem {
  const full = ['ENOSPC', 'EMFILE'].includes(systemCode(error));
  return at(path, {
    code: 'cannot-watch-folder',
    fault: `changes are not told by the system, so the folder is read every ${rescanMs / 1000} s: ${reasonOf(error)}`,
    mend: full ? 'raise sysctl fs.inotify.max_user_watches and max_user_instances' : 'make it readable',
  });
}

function toMib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
