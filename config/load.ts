// Loads the configuration of a program: flags override variables, variables the file, the file the defaults.
import { type Problem, ProblemError } from '../model/problem.ts';
import { badSetting, sectionNotMap, settingOutsideSection, unknownSetting } from './errors.ts';
import { type ConfigFile, emptyFile, readConfigFile } from './file.ts';
import type { ConfigOf, Schema } from './setting.ts';
import { type SettingNames, settingNames } from './setting-names.ts';

export type ConfigSources = {
  /** Path of the YAML file, if the user set one. */
  file: string | undefined;
  /** Flag names without the dashes. */
  flags: Readonly<Record<string, string | undefined>>;
  env: Readonly<Record<string, string | undefined>>;
};

/** Throws a ProblemError with all faults. */
export function loadConfig<Of extends Schema>(schema: Of, sources: ConfigSources): ConfigOf<Of> {
  const problems: Problem[] = [];
  const file = sources.file === undefined ? emptyFile : readConfigFile(sources.file, problems);
  const declared = settingNames(schema);
  for (const key of file.unknownKeys(declared)) problems.push(unknownSettingProblem(key, file, declared));
  const config: Record<string, Record<string, unknown>> = {};
  for (const one of declared) {
    const { place, raw } = sourceOf(one, sources, file);
    const read = one.setting.read(raw);
    config[one.section] ??= {};
    if ('value' in read) config[one.section]![one.name] = read.value;
    else problems.push(badSetting(place, one.setting.secret ? 'invalid value (not shown)' : read.fault, read.fix));
  }
  if (problems.length > 0) throw new ProblemError(...problems);
  return config as ConfigOf<Of>;
}

function sourceOf(one: SettingNames, sources: ConfigSources, file: ConfigFile): { place: string; raw: unknown } {
  const fromFlag = sources.flags[one.flag];
  if (fromFlag !== undefined) return { place: `--${one.flag}`, raw: fromFlag };
  const fromEnv = sources.env[one.variable];
  if (fromEnv !== undefined) return { place: one.variable, raw: fromEnv };
  const fromFile = file.valueOf(one);
  if (fromFile !== undefined) return { place: file.placeOf(one.key), raw: fromFile };
  return { place: one.key, raw: one.setting.defaultText };
}

function unknownSettingProblem(key: string, file: ConfigFile, declared: readonly SettingNames[]): Problem {
  const place = file.placeOf(key);
  const inSection = declared.find((one) => one.section === key);
  if (inSection !== undefined) return sectionNotMap(place, key, inSection.name);
  const withoutSection = declared.find((one) => one.key === key);
  if (withoutSection !== undefined) return settingOutsideSection(place, withoutSection.section, withoutSection.name);
  return unknownSetting(place, key, nearestTo(key, declared));
}

/** The setting with this name in another section, else the setting with the most similar key. */
function nearestTo(key: string, declared: readonly SettingNames[]): string | undefined {
  const name = key.slice(key.indexOf('.') + 1);
  const sameName = declared.filter((one) => one.name === name);
  if (sameName.length === 1) return sameName[0]!.key;
  const nearest = declared
    .map((one) => ({ key: one.key, distance: editDistance(one.key, key) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return nearest !== undefined && nearest.distance <= key.length / 3 ? nearest.key : undefined;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
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
