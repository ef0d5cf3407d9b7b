// A program's configuration: flags over environment over file over defaults, every fault named at once.
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { type Problem, ProblemError } from '../model/problem.ts';
import { badConfigFile, badSetting, unknownSetting } from './errors.ts';
import { type Named, namedSettings } from './names.ts';
import type { ConfigOf, Schema } from './setting.ts';

export type Given = {
  /** Path of the YAML file; undefined where none was named. */
  file: string | undefined;
  /** By flag, without the dashes. */
  flags: Readonly<Record<string, string | undefined>>;
  env: Readonly<Record<string, string | undefined>>;
};

/** Throws a ProblemError with all that is wrong. */
export function loadConfig<Of extends Schema>(schema: Of, given: Given): ConfigOf<Of> {
  const problems: Problem[] = [];
  const file = given.file === undefined ? emptyFile : readFile(given.file, problems);
  const named = namedSettings(schema);
  for (const key of file.keys) if (!named.some((one) => one.key === key)) problems.push(unknown(key, file, named));
  const config: Record<string, Record<string, unknown>> = {};
  for (const one of named) {
    const { place, raw } = sourceOf(one, given, file);
    const read = one.setting.read(raw);
    config[one.section] ??= {};
    if ('value' in read) config[one.section]![one.name] = read.value;
    else problems.push(badSetting(place, one.setting.secret ? 'the value cannot be used' : read.fault, read.mend));
  }
  if (problems.length > 0) throw new ProblemError(...problems);
  return config as ConfigOf<Of>;
}

type File = { keys: string[]; valueOf(key: string): unknown; placeOf(key: string): string };

const emptyFile: File = { keys: [], valueOf: () => undefined, placeOf: (key) => key };

function sourceOf(one: Named, given: Given, file: File): { place: string; raw: unknown } {
  const fromFlag = given.flags[one.flag];
  if (fromFlag !== undefined) return { place: `--${one.flag}`, raw: fromFlag };
  const fromEnv = given.env[one.variable];
  if (fromEnv !== undefined) return { place: one.variable, raw: fromEnv };
  const fromFile = file.valueOf(one.key);
  if (fromFile !== undefined && fromFile !== null) return { place: file.placeOf(one.key), raw: fromFile };
  return { place: one.key, raw: one.setting.defaultText };
}

function readFile(path: string, problems: Problem[]): File {
  let body: string;
  try {
    body = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(badConfigFile(path, `cannot be read (${(error as NodeJS.ErrnoException).code})`, 'give its path'));
    return emptyFile;
  }
  const lines = new LineCounter();
  const document = parseDocument(body, { lineCounter: lines });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    problems.push(badConfigFile(`${path}:${line}`, broken.message.split('\n')[0]!.toLowerCase(), 'write it as YAML'));
    return emptyFile;
  }
  const whole: unknown = document.toJS() ?? {};
  const placeOf = (key: string): string => {
    const node = document.getIn(key.split('.'), true) as { range?: [number, number, number] | null } | undefined;
    return node?.range ? `${path}:${lines.linePos(node.range[0]).line}, ${key}` : `${path}, ${key}`;
  };
  if (!isMap(whole)) {
    problems.push(badConfigFile(path, 'holds no map', 'write SECTION: {NAME: VALUE}'));
    return emptyFile;
  }
  const keys = Object.entries(whole).flatMap(([section, settings]) =>
    isMap(settings) ? Object.keys(settings).map((name) => `${section}.${name}`) : [section],
  );
  return {
    keys,
    placeOf,
    valueOf(key) {
      const [section, name] = key.split('.') as [string, string];
      const settings = whole[section];
      return isMap(settings) && Object.hasOwn(settings, name) ? settings[name] : undefined;
    },
  };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknown(key: string, file: File, named: readonly Named[]): Problem {
  const nearest = named
    .map((one) => ({ key: one.key, distance: distanceBetween(one.key, key) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return unknownSetting(
    file.placeOf(key),
    key,
    nearest !== undefined && nearest.distance < 6 ? nearest.key : undefined,
  );
}

/** Edits between two short texts (Levenshtein). */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
