// The YAML file of a program's settings: sections of settings, each with its line.
import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { errorText, type Problem } from '../model/problem.ts';
import { badConfigFile } from './errors.ts';
import type { SettingNames } from './setting-names.ts';

export type ConfigFile = {
  /** What stands there and is no setting: `SECTION.NAME`, or what stands where a section is wanted. */
  unknownKeys(declared: readonly SettingNames[]): string[];
  /** Undefined where it is left out or empty. */
  valueOf(setting: SettingNames): unknown;
  placeOf(key: string): string;
};

export const emptyFile: ConfigFile = { unknownKeys: () => [], valueOf: () => undefined, placeOf: (key) => key };

type Settings = Record<string, unknown>;

/** Adds what is wrong with the file as a whole to `problems`; it is empty then. */
export function readConfigFile(path: string, problems: Problem[]): ConfigFile {
  let body: string;
  try {
    body = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(badConfigFile(path, `cannot be read (${(error as NodeJS.ErrnoException).code})`, 'give its path'));
    return emptyFile;
  }
  const lines = new LineCounter();
  const document = parseDocument(body, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    problems.push(badConfigFile(`${path}:${line}`, errorText(broken), 'write it as YAML'));
    return emptyFile;
  }
  try {
    const content: unknown = document.toJS() ?? {};
    if (isMap(content)) return settingsOf(path, content, document, lines);
    problems.push(badConfigFile(path, 'holds no map', 'write SECTION: {NAME: VALUE}'));
  } catch (error) {
    // Anchors that are not there, or that make a small file a huge one.
    problems.push(badConfigFile(path, errorText(error), 'write the values out'));
  }
  return emptyFile;
}

function settingsOf(path: string, content: Settings, document: Document, lines: LineCounter): ConfigFile {
  return {
    unknownKeys(declared) {
      return Object.entries(content).flatMap(([section, settings]) => {
        const inSection = declared.filter((one) => one.section === section);
        // A section of comments only is empty.
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
