// One setting, declared once: its type, default, help and check. Names follow from where it stands in the schema.

/** `fault` and `mend` are clauses of a Problem. */
export type Read<Value> = { value: Value } | { fault: string; mend: string };

export type Setting<Value> = {
  /** What the docs call its values, with their range: `duration, 1s to 5m`, `host:port`. */
  type: string;
  /** As a user would write it; empty where there is none. */
  defaultText: string;
  help: string;
  secret?: true;
  /** `raw` is a text (flag, variable) or what YAML made of it. */
  read(raw: unknown): Read<Value>;
};

/** Two levels: `findings.grace`. */
export type Schema = Record<string, Record<string, Setting<unknown>>>;

export type ConfigOf<Of extends Schema> = {
  [Section in keyof Of]: {
    [Name in keyof Of[Section]]: Of[Section][Name] extends Setting<infer Value> ? Value : never;
  };
};

type Told<Default = string> = { default: Default; help: string };

/** Milliseconds. Written as 250ms, 10s, 5m, 2h, 7d. */
export function duration(told: Told & { min?: string; max?: string }): Setting<number> {
  const [min, max] = [durationMs(told.min ?? '0s')!, durationMs(told.max ?? '10000d')!];
  return {
    type: `duration${rangeText(told.min, told.max)}`,
    defaultText: told.default,
    help: told.help,
    read(raw) {
      const ms = typeof raw === 'string' ? durationMs(raw) : undefined;
      if (ms === undefined) return no(raw, 'a duration', 'write it as 250ms, 10s, 5m, 2h or 7d');
      if (ms < min || ms > max) return no(raw, 'in its range', `set ${told.min ?? '0s'} to ${told.max ?? '10000d'}`);
      return { value: ms };
    },
  };
}

/** Bytes. Written as a number, or with KiB, MiB, GiB, TiB. */
export function bytes(told: Told & { min?: string }): Setting<number> {
  return {
    type: `size${rangeText(told.min, undefined)}`,
    defaultText: told.default,
    help: told.help,
    read(raw) {
      const value = typeof raw === 'string' || typeof raw === 'number' ? sizeBytes(String(raw)) : undefined;
      if (value === undefined) return no(raw, 'a size', 'write it as 64MiB or 10GiB');
      if (value < (sizeBytes(told.min ?? '0') ?? 0)) return no(raw, 'large enough', `set ${told.min} or more`);
      return { value };
    },
  };
}

export function integer(told: Told<number> & { min: number; max: number }): Setting<number> {
  return {
    type: `integer${rangeText(String(told.min), String(told.max))}`,
    defaultText: String(told.default),
    help: told.help,
    read(raw) {
      const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isInteger(value)) return no(raw, 'a whole number', 'write digits only');
      if (value < told.min || value > told.max) return no(raw, 'in its range', `set ${told.min} to ${told.max}`);
      return { value };
    },
  };
}

export function flag(told: Told<boolean>): Setting<boolean> {
  return {
    type: 'true or false',
    defaultText: String(told.default),
    help: told.help,
    read(raw) {
      if (raw === true || raw === 'true') return { value: true };
      if (raw === false || raw === 'false') return { value: false };
      return no(raw, 'true or false', 'set one of them');
    },
  };
}

export function choice<const Values extends readonly string[]>(
  values: Values,
  told: Told<Values[number]>,
): Setting<Values[number]> {
  return {
    type: values.join(', '),
    defaultText: told.default,
    help: told.help,
    read(raw) {
      const value = values.find((one) => one === raw);
      return value === undefined ? no(raw, 'one of its values', `set ${values.join(' or ')}`) : { value };
    },
  };
}

/** Empty only where that is the default. */
export function text(told: Told & { secret?: true }): Setting<string> {
  return written({ ...told, type: 'text', isOne: () => true, mend: 'write some text' });
}

export function path(told: Told): Setting<string> {
  return written({ ...told, type: 'path', isOne: () => true, mend: 'write the path of a file or folder' });
}

/** `host:port`, `[::1]:port`. */
export function hostPort(told: Told): Setting<string> {
  const isOne = (raw: string) => {
    const match = /^(?:[^\s:[\]]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(raw);
    return match !== null && Number(match[1]) <= 65_535;
  };
  return written({ ...told, type: 'host:port', isOne, mend: 'write it as 0.0.0.0:7443, [::1]:7443 or name:7443' });
}

/** Of http or https. */
export function url(told: Told): Setting<string> {
  const isOne = (raw: string) => /^https?:\/\/\S+$/.test(raw) && URL.canParse(raw);
  return written({ ...told, type: 'URL', isOne, mend: 'write it as https://HOST:PORT' });
}

/** What is a text of some form. */
function written(
  told: Told & { type: string; isOne: (raw: string) => boolean; mend: string; secret?: true },
): Setting<string> {
  return {
    type: told.type,
    defaultText: told.default,
    help: told.help,
    ...(told.secret ? { secret: true as const } : {}),
    read(raw) {
      if (typeof raw !== 'string')
        return no(raw, `a ${told.type}`, told.type === 'text' ? 'put it in quotes' : told.mend);
      if (raw === '' ? told.default !== '' : !told.isOne(raw)) return no(raw, `a ${told.type}`, told.mend);
      return { value: raw };
    },
  };
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Undefined where the text is no duration. */
export function durationMs(written: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(written);
  return match === null ? undefined : Number(match[1]) * unitMs[match[2]!]!;
}

function sizeBytes(written: string): number | undefined {
  const match = /^(\d{1,12})(KiB|MiB|GiB|TiB)?$/.exec(written);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * 1024 ** ['', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(match[2] ?? '');
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function rangeText(min: string | undefined, max: string | undefined): string {
  if (max !== undefined) return `, ${min === undefined ? 'at most' : `${min} to`} ${max}`;
  return min === undefined ? '' : `, at least ${min}`;
}

/** Shows the value on one line, short, and without the credentials of a URL. */
export function no(raw: unknown, wanted: string, mend: string): { fault: string; mend: string } {
  const shown = (JSON.stringify(raw) ?? 'nothing').replace(/\/\/[^/\s]*@/, '//…@');
  return { fault: `${shown.length > 60 ? `${shown.slice(0, 57)}…` : shown} is not ${wanted}`, mend };
}
