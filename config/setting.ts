// The types of settings. A schema declares each setting once, with default, help and check; its key there gives the names.

/** `fault` and `fix` become those of a Problem. */
export type ReadResult<Value> = { value: Value } | { fault: string; fix: string };

export type Setting<Value> = {
  /** The values and their range, for docs and help: `duration, 1s to 5m`, `host:port`. */
  type: string;
  /** In the form of a flag; empty without a default. */
  defaultText: string;
  help: string;
  secret?: true;
  /** `raw` is a string (flag, variable) or a parsed YAML value. */
  read(raw: unknown): ReadResult<Value>;
};

/** Two levels: `findings.grace`. */
export type Schema = Record<string, Record<string, Setting<unknown>>>;

export type ConfigOf<Of extends Schema> = {
  [Section in keyof Of]: {
    [Name in keyof Of[Section]]: Of[Section][Name] extends Setting<infer Value> ? Value : never;
  };
};

type SettingOptions<Default = string> = { default: Default; help: string };

/** Milliseconds. Written as 250ms, 10s, 5m, 2h, 7d. */
export function duration(options: SettingOptions & { min?: string; max?: string }): Setting<number> {
  const [min, max] = [durationMs(options.min ?? '0s')!, durationMs(options.max ?? '10000d')!];
  return {
    type: `duration${rangeText(options.min, options.max)}`,
    defaultText: options.default,
    help: options.help,
    read(raw) {
      const ms = typeof raw === 'string' ? durationMs(raw) : undefined;
      if (ms === undefined) return invalid(raw, 'a duration', 'write it as 250ms, 10s, 5m, 2h or 7d');
      if (ms < min || ms > max)
        return invalid(
          raw,
          'in the allowed range',
          `set a value from ${options.min ?? '0s'} to ${options.max ?? '10000d'}`,
        );
      return { value: ms };
    },
  };
}

/** Bytes. Written as a number, or with KiB, MiB, GiB, TiB. */
export function bytes(options: SettingOptions & { min?: string }): Setting<number> {
  return {
    type: `size${rangeText(options.min, undefined)}`,
    defaultText: options.default,
    help: options.help,
    read(raw) {
      const value = typeof raw === 'string' || typeof raw === 'number' ? sizeBytes(String(raw)) : undefined;
      if (value === undefined) return invalid(raw, 'a size', 'write it as 64MiB or 10GiB');
      if (value < (sizeBytes(options.min ?? '0') ?? 0))
        return invalid(raw, 'large enough', `set ${options.min} or more`);
      return { value };
    },
  };
}

export function integer(options: SettingOptions<number> & { min: number; max: number }): Setting<number> {
  return {
    type: `integer${rangeText(String(options.min), String(options.max))}`,
    defaultText: String(options.default),
    help: options.help,
    read(raw) {
      const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isInteger(value))
        return invalid(raw, 'a whole number', 'write digits only');
      if (value < options.min || value > options.max)
        return invalid(raw, 'in the allowed range', `set a number from ${options.min} to ${options.max}`);
      return { value };
    },
  };
}

export function flag(options: SettingOptions<boolean>): Setting<boolean> {
  return {
    type: 'true or false',
    defaultText: String(options.default),
    help: options.help,
    read(raw) {
      if (raw === true || raw === 'true') return { value: true };
      if (raw === false || raw === 'false') return { value: false };
      return invalid(raw, 'true or false', 'set true or false');
    },
  };
}

export function choice<const Values extends readonly string[]>(
  values: Values,
  options: SettingOptions<Values[number]>,
): Setting<Values[number]> {
  return {
    type: values.join(', '),
    defaultText: options.default,
    help: options.help,
    read(raw) {
      const value = values.find((one) => one === raw);
      return value === undefined ? invalid(raw, 'a valid value', `set ${orText(values)}`) : { value };
    },
  };
}

/** May be empty only if the default is empty. */
export function text(options: SettingOptions & { secret?: true }): Setting<string> {
  return textSetting({ ...options, type: 'text', isValid: () => true, fix: 'write a string that is not empty' });
}

/** A list of names in YAML; as a flag or variable separated by commas. */
export function nameList(options: { help: string }): Setting<readonly string[]> {
  return {
    type: 'list of names',
    defaultText: '',
    help: options.help,
    read(raw) {
      const items: unknown = typeof raw === 'string' ? raw.split(',').filter((one) => one.trim() !== '') : raw;
      if (!Array.isArray(items)) return invalid(raw, 'a list of names', 'write [one, two]');
      const value: string[] = [];
      for (const item of items) {
        const name = typeof item === 'string' ? item.trim() : '';
        if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name))
          return invalid(item, 'a name', 'use lower case letters, digits and -');
        value.push(name);
      }
      return { value };
    },
  };
}

/** A list of texts in YAML; as a flag or variable separated by commas. At least one. */
export function textList(options: SettingOptions<readonly string[]>): Setting<readonly string[]> {
  return {
    type: 'list of texts',
    defaultText: options.default.join(','),
    help: options.help,
    read(raw) {
      const items: unknown = typeof raw === 'string' ? raw.split(',').map((one) => one.trim()) : raw;
      if (!Array.isArray(items) || items.length === 0) return invalid(raw, 'a list of texts', 'write [one, two]');
      const bad = items.find((item) => typeof item !== 'string' || !/^[!-~]+$/.test(item));
      if (bad !== undefined) return invalid(bad, 'a text', 'write at least one character, without spaces');
      return { value: items };
    },
  };
}

/** A list of paths, or one path, in YAML; as a flag or variable separated by commas. Empty by default. */
export function paths(options: { help: string }): Setting<readonly string[]> {
  return {
    type: 'list of paths',
    defaultText: '',
    help: options.help,
    read(raw) {
      const items: unknown = typeof raw === 'string' ? raw.split(',').filter((one) => one !== '') : raw;
      if (!Array.isArray(items)) return invalid(raw, 'a list of paths', 'write [manifests, policies]');
      const bad = items.find((item) => typeof item !== 'string' || item === '');
      if (bad !== undefined) return invalid(bad, 'a path', 'write the path of a file or folder');
      return { value: items };
    },
  };
}

export function path(options: SettingOptions): Setting<string> {
  return textSetting({ ...options, type: 'path', isValid: () => true, fix: 'write the path of a file or folder' });
}

export function hostPort(options: SettingOptions): Setting<string> {
  const isHostPort = (raw: string) => {
    const match = /^(?:[^\s:[\]]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(raw);
    return match !== null && Number(match[1]) <= 65_535;
  };
  return textSetting({
    ...options,
    type: 'host:port',
    isValid: isHostPort,
    fix: 'write it as 0.0.0.0:7443, [::1]:7443 or name:7443',
  });
}

export function url(options: SettingOptions): Setting<string> {
  const isUrl = (raw: string) => /^https?:\/\/\S+$/.test(raw) && URL.canParse(raw);
  return textSetting({ ...options, type: 'URL', isValid: isUrl, fix: 'write it as https://HOST:PORT' });
}

function textSetting(
  options: SettingOptions & { type: string; isValid: (raw: string) => boolean; fix: string; secret?: true },
): Setting<string> {
  return {
    type: options.type,
    defaultText: options.default,
    help: options.help,
    ...(options.secret ? { secret: true as const } : {}),
    read(raw) {
      if (typeof raw !== 'string')
        return options.type === 'text'
          ? invalid(raw, 'a string', 'put it in quotes')
          : invalid(raw, `a ${options.type}`, options.fix);
      if (raw === '' && options.type === 'text' && options.default !== '')
        return { fault: 'the value is empty', fix: options.fix };
      if (raw === '' ? options.default !== '' : !options.isValid(raw))
        return invalid(raw, `a ${options.type}`, options.fix);
      return { value: raw };
    },
  };
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Undefined if the text is not a duration. */
export function durationMs(value: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value);
  return match === null ? undefined : Number(match[1]) * unitMs[match[2]!]!;
}

function sizeBytes(value: string): number | undefined {
  const match = /^(\d{1,12})(KiB|MiB|GiB|TiB)?$/.exec(value);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * 1024 ** ['', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(match[2] ?? '');
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function orText(values: readonly string[]): string {
  return [values.slice(0, -1).join(', '), values.at(-1)].join(' or ');
}

function rangeText(min: string | undefined, max: string | undefined): string {
  if (max !== undefined) return `, ${min === undefined ? 'at most' : `${min} to`} ${max}`;
  return min === undefined ? '' : `, at least ${min}`;
}

/** Shows the value on one line, short, and without the credentials of a URL. */
export function invalid(raw: unknown, expected: string, fix: string): { fault: string; fix: string } {
  const shown = (JSON.stringify(raw) ?? 'nothing').replace(/\/\/[^/\s]*@/, '//…@');
  return { fault: `${shown.length > 60 ? `${shown.slice(0, 57)}…` : shown} is not ${expected}`, fix };
}
