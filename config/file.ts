// Reads the YAML file with the settings of a program: sections of settings, with their lines.
import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { errorText, type Problem } from '../model/problem.ts';
import { badConfigFile } from './errors.ts';
import type { SettingNames } from './setting-names.ts';

export type ConfigFile = {
  /** Keys that are not settings: `SECTION.NAME`, or the top-level key if it is not a section. */
  unknownKeys(declared: readonly SettingNames[]): string[];
  /** Undefined if the setting is missing or empty. */
  valueOf(setting: SettingNames): unknown;
  placeOf(key: string): string;
};

export const emptyFile: ConfigFile = { unknownKeys: () => [], valueOf: () => undefined, placeOf: (key) => key };

type Settings = Record<string, unknown>;

/** Adds a fault of the whole file to `problems` and returns an empty file. */
export function readConfigFile(path: string, problems: Problem[]): ConfigFile {
  let body: string;
  try {
    body = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(
      badConfigFile(
        path,
        `cannot be read (${(error as NodeJS.ErrnoException).code})`,
        'give the path of a readable file',
      ),
    );
    return emptyFile;
  }
  const lines = new LineCounter();
  const document = parseDocument(body, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    problems.push(badConfigFile(`${path}:${line}`, errorText(broken), 'fix the YAML syntax'));
    return emptyFile;
  }
  try {
    const content: unknown = document.toJS() ?? {};
    if (isMap(content)) return settingsOf(path, content, document, lines);
    problems.push(badConfigFile(path, 'it is not a map of sections', 'write SECTION: {NAME: VALUE}'));
  } catch (error) {
    // Unknown aliases, or aliases that expand to a huge document.
    problems.push(badConfigFile(path, errorText(error), 'write the values without aliases'));
  }
  return emptyFile;
}

function settingsOf(path: string, content: Settings, document: Document, lines: LineCounter): ConfigFile {
  return {
    unknownKeys(declared) {
      return Object.entries(content).flatMap(([section, settings]) => {
        const inSection = declared.filter((one) => one.section === section);
        // A section may have comments only.
        if (settings === null && inSection.length > 0) return [];
        if (!isMap(settings)) return [section];
        const names = Object.keys(settings).filter((name) => !inSection.some((one) => one.name === name));
        return names.map((name) => `${section}.${name}`);
      });
    },
    valueOf({ section, name }) {
      const settings = content[section];
      if (!isMap(settings) || !Object.hasOwn(settings, name)) return undefined;
      return settings[name] ?? undefined;
    },
    placeOf(key) {
      const dot = key.indexOf('.');
      const keyPaths = [[key], [key.slice(0, dot), key.slice(dot + 1)]];
      const node = keyPaths.map((keyPath) => document.getIn(keyPath, true)).find((one) => one !== undefined);
      const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
      return range ? `${path}:${lines.linePos(range[0]).line}, ${oneLine(key)}` : `${path}, ${oneLine(key)}`;
    },
  };
}

function isMap(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function oneLine(key: string): string {
  return key.replace(/\p{Cc}/gu, ' ').slice(0, 80);
}
