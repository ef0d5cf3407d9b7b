// Settings with CIDRs: a list, or named lists.
import { type Prefix, parsePrefix } from '../model/address.ts';
import { invalid, type ReadResult, type Setting } from './setting.ts';

export function prefixes(options: { help: string }): Setting<readonly Prefix[]> {
  return {
    type: 'list of CIDRs',
    defaultText: '',
    help: options.help,
    read: (raw) => readPrefixes(typeof raw === 'string' ? raw.split(',').filter((one) => one.trim() !== '') : raw),
  };
}

/** Which names a map may have, and how an error calls them. */
type MapNames = { pattern: RegExp; called: string; fix: string };

export const zoneNames: MapNames = {
  pattern: /^[a-z][a-z0-9-]{0,62}$/,
  called: 'a zone name',
  fix: 'use lower case letters, digits and -',
};

export const workloadNames: MapNames = {
  pattern: /^[a-z0-9][a-z0-9-]{0,62}\/[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/,
  called: 'a workload',
  fix: 'write it as NAMESPACE/WORKLOAD',
};

/** A map of lists in YAML; as a flag or variable `vpc=10.0.0.0/8,10.9.0.0/16;office=192.0.2.0/24`. */
export function namedPrefixes(options: {
  help: string;
  names: MapNames;
}): Setting<Readonly<Record<string, readonly Prefix[]>>> {
  const { pattern, called, fix } = options.names;
  return {
    type: 'map of names to lists of CIDRs',
    defaultText: '',
    help: options.help,
    read(raw) {
      const isMap = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
      if (typeof raw !== 'string' && !isMap) return invalid(raw, 'a map', 'write NAME: [CIDR, …]');
      const value: Record<string, readonly Prefix[]> = {};
      for (const [name, list] of typeof raw === 'string' ? entriesOf(raw) : Object.entries(raw as object)) {
        if (!pattern.test(name)) return invalid(name, called, fix);
        if (Object.hasOwn(value, name))
          return invalid(name, 'a unique name', 'write NAME=CIDR,CIDR with all CIDRs of the name');
        const read = readPrefixes(list);
        if ('fault' in read) return read;
        value[name] = read.value;
      }
      return { value };
    },
  };
}

function entriesOf(raw: string): [name: string, list: string[]][] {
  const parts = raw.split(';').filter((part) => part.trim() !== '');
  return parts.map((part) => {
    const equals = part.indexOf('=');
    return [part.slice(0, Math.max(equals, 0)).trim(), part.slice(equals + 1).split(',')];
  });
}

function readPrefixes(raw: unknown): ReadResult<readonly Prefix[]> {
  if (!Array.isArray(raw)) return invalid(raw, 'a list of CIDRs', 'write [10.0.0.0/8, fd00::/8]');
  const value: Prefix[] = [];
  for (const one of raw) {
    const prefix = typeof one === 'string' ? parsePrefix(one.trim()) : undefined;
    if (prefix === undefined) return invalid(one, 'a CIDR', 'write it as 10.0.0.0/8 or fd00::/8');
    value.push(prefix);
  }
  return { value };
}
