// One setting, declared once: its type, default, help and check. Names follow from where it stands in the schema.
import { type Prefix, parsePrefix } from '../model/address.ts';

/** `fault` and `mend` are clauses of a Problem. */
export type Read<Value> = { value: Value } | { fault: string; mend: string };

export type Setting<Value> = {
  /** What the docs call its values: `duration`, `host:port`. */
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
    type: 'duration',
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
    type: 'size',
    defaultText: told.default,
    help: told.help,
    read(raw) {
      const value = sizeBytes(String(raw));
      if (value === undefined) return no(raw, 'a size', 'write it as 64MiB or 10GiB');
      if (value < (sizeBytes(told.min ?? '0') ?? 0)) return no(raw, 'large enough', `set ${told.min} or more`);
      return { value };
    },
  };
}

export function integer(told: Told<number> & { min: number; max: number }): Setting<number> {
  return {
    type: 'integer',
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

export function text(told: Told & { type?: string; matches?: RegExp; secret?: true }): Setting<string> {
  return {
    type: told.type ?? 'text',
    defaultText: told.default,
    help: told.help,
    ...(told.secret ? { secret: true as const } : {}),
    read(raw) {
      if (typeof raw !== 'string') return no(raw, 'a text', 'put it in quotes');
      if (raw !== '' && told.matches !== undefined && !told.matches.test(raw)) {
        return no(raw, `a ${told.type ?? 'text'}`, `write a ${told.type ?? 'text'}`);
      }
      return { value: raw };
    },
  };
}

export function path(told: Told): Setting<string> {
  return text({ ...told, type: 'path' });
}

/** `host:port`, `[::1]:port`. */
export function hostPort(told: Told): Setting<string> {
  return text({ ...told, type: 'host:port', matches: /^([^\s:[\]]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/ });
}

export function prefixes(told: { help: string }): Setting<readonly Prefix[]> {
  return {
    type: 'list of CIDRs',
    defaultText: '',
    help: told.help,
    read: (raw) => readPrefixes(typeof raw === 'string' ? raw.split(',').filter((one) => one.trim() !== '') : raw),
  };
}

/** In YAML a map of lists; as a text `vpc=10.0.0.0/8,10.9.0.0/16;office=192.0.2.0/24`. */
export function namedPrefixes(told: { help: string }): Setting<Readonly<Record<string, readonly Prefix[]>>> {
  return {
    type: 'map of names to lists of CIDRs',
    defaultText: '',
    help: told.help,
    read(raw) {
      const entries = typeof raw === 'string' ? entriesOf(raw) : raw;
      if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) {
        return no(raw, 'a map', 'write NAME: [CIDR, …]');
      }
      const value: Record<string, readonly Prefix[]> = {};
      for (const [name, list] of Object.entries(entries)) {
        if (!/^[a-z][a-z0-9-]{0,62}$/.test(name))
          return no(name, 'a zone’s name', 'use lower case letters, digits and -');
        const read = readPrefixes(list);
        if ('fault' in read) return read;
        value[name] = read.value;
      }
      return { value };
    },
  };
}

function entriesOf(raw: string): Record<string, string[]> {
  const parts = raw.split(';').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const equals = part.indexOf('=');
      return [part.slice(0, Math.max(equals, 0)).trim(), part.slice(equals + 1).split(',')];
    }),
  );
}

function readPrefixes(raw: unknown): Read<readonly Prefix[]> {
  if (!Array.isArray(raw)) return no(raw, 'a list of CIDRs', 'write [10.0.0.0/8, fd00::/8]');
  const value: Prefix[] = [];
  for (const one of raw) {
    const prefix = typeof one === 'string' ? parsePrefix(one.trim()) : undefined;
    if (prefix === undefined) return no(one, 'a CIDR', 'write it as 10.0.0.0/8 or fd00::/8');
    value.push(prefix);
  }
  return { value };
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
  return Number(match[1]) * 1024 ** ['', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(match[2] ?? '');
}

function no(raw: unknown, wanted: string, mend: string): { fault: string; mend: string } {
  const shown = typeof raw === 'string' ? `"${raw}"` : (JSON.stringify(raw) ?? 'nothing');
  return { fault: `${shown.length > 60 ? `${shown.slice(0, 57)}…` : shown} is not ${wanted}`, mend };
}
