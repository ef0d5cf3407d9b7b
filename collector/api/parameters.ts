// Converts the parameters of a request to a query. Several values of one parameter mean any of them. An unknown parameter
// or an invalid value is an error.
import { severities } from '../../model/finding.ts';
import { findingKinds } from '../../model/finding-kind.ts';
import type { Problem } from '../../model/problem.ts';
import type { VerdictName } from '../../model/verdict.ts';
import type { ListQuery } from '../store/store.ts';
import { badParameter, unknownParameter } from './errors.ts';
import { parseTimeUs, timeFix } from './times.ts';

export const verdictNames: readonly VerdictName[] = ['allowed', 'undeclared', 'denied', 'unknown'];

export const parameterNames = {
  findings: [
    'namespace',
    'pod',
    'from-pod',
    'to-pod',
    'port',
    'kind',
    'severity',
    'verdict',
    'since',
    'until',
    'last',
    'follow',
  ],
  flows: ['namespace', 'pod', 'from-pod', 'to-pod', 'port', 'verdict', 'since', 'until', 'last', 'follow'],
} as const;

/** Most items in one answer, because the whole answer is in memory. */
export const maxLast = 10_000;
export const defaultLast = { findings: maxLast, flows: 100 };
export const defaultFollowLast = 20;
const maxValues = 100;
/** The longest name in Kubernetes. */
const maxNameCharacters = 253;

/** `follow`: first the latest stored items, then new ones. */
export type ListRequest = { query: ListQuery; follow: boolean };

/** A parsed query string: several values if the parameter is given more than once. */
export type RawParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

export function readParameters(
  of: keyof typeof parameterNames,
  raw: RawParameters,
  nowUs: number,
): ListRequest | Problem {
  const allowed: readonly string[] = parameterNames[of];
  const unknown = Object.keys(raw).find((name) => !allowed.includes(name));
  if (unknown !== undefined) return unknownParameter(unknown, allowed);
  const reader = new ParameterReader(raw);
  const [sinceUs, untilUs] = [reader.timeUs('since', nowUs), reader.timeUs('until', nowUs)];
  const follow = reader.choice('follow', ['true', 'false']) === 'true';
  const query: ListQuery = {
    namespaces: reader.names('namespace'),
    pods: reader.pods('pod'),
    fromPods: reader.pods('from-pod'),
    toPods: reader.pods('to-pod'),
    ports: reader.ports('port'),
    kinds: reader.choices('kind', findingKinds),
    severities: reader.choices('severity', severities),
    verdicts: reader.choices('verdict', verdictNames),
    ...(sinceUs === undefined ? {} : { sinceUs }),
    ...(untilUs === undefined ? {} : { untilUs }),
    last: reader.last(follow ? defaultFollowLast : defaultLast[of]),
  };
  if (sinceUs !== undefined && untilUs !== undefined && sinceUs >= untilUs) {
    reader.fault('until', 'is not after since', 'set a later time');
  }
  if (follow && untilUs !== undefined) reader.fault('until', 'cannot be used with follow', 'remove one of them');
  return reader.problem ?? { query, follow };
}

export function isProblem(value: ListRequest | Problem): value is Problem {
  return 'fix' in value;
}

/** Keeps the first problem only. */
class ParameterReader {
  problem: Problem | undefined;
  readonly #raw: RawParameters;

  constructor(raw: RawParameters) {
    this.#raw = raw;
  }

  fault(name: string, fault: string, fix: string, value = this.#values(name)[0] ?? ''): void {
    this.problem ??= badParameter(name, value, fault, fix);
  }

  names(name: string): readonly string[] {
    const values = this.#values(name);
    const invalid = values.find((value) => value === '' || value.length > maxNameCharacters);
    if (invalid !== undefined) this.fault(name, 'is not a name', 'use a name, or remove the parameter', invalid);
    return values;
  }

  /** NAME or NAMESPACE/NAME. */
  pods(name: string): readonly string[] {
    const values = this.#values(name);
    const isName = (text: string) => text !== '' && text.length <= maxNameCharacters;
    const invalid = values.find((value) => value.split('/').length > 2 || !value.split('/').every(isName));
    if (invalid !== undefined) this.fault(name, 'is not a name', 'write it as NAME or NAMESPACE/NAME', invalid);
    return values;
  }

  ports(name: string): readonly number[] {
    const values = this.#values(name);
    const invalid = values.find((value) => !/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65_535);
    if (invalid !== undefined) this.fault(name, 'is not a port', 'set a number from 1 to 65535', invalid);
    return values.map(Number);
  }

  choices<Value extends string>(name: string, allowed: readonly Value[]): readonly Value[] {
    const values = this.#values(name);
    const invalid = values.find((value) => !allowed.some((choice) => choice === value));
    if (invalid !== undefined) this.fault(name, 'is not a valid value', `use ${allowed.join(', ')}`, invalid);
    return values as readonly Value[];
  }

  choice<Value extends string>(name: string, allowed: readonly Value[]): Value | undefined {
    this.#single(name);
    return this.choices(name, allowed)[0];
  }

  timeUs(name: string, nowUs: number): number | undefined {
    const text = this.#single(name);
    if (text === undefined) return undefined;
    const us = parseTimeUs(text, nowUs);
    if (us === undefined) this.fault(name, 'is not a time', timeFix);
    return us;
  }

  last(defaultValue: number): number {
    const text = this.#single('last');
    if (text === undefined) return defaultValue;
    const last = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (last < 1 || last > maxLast)
      this.fault('last', 'is not in the allowed range', `set a number from 1 to ${maxLast}`);
    return last;
  }

  #single(name: string): string | undefined {
    const values = this.#values(name);
    if (values.length > 1) this.fault(name, 'is given a second time', 'give it once', values[1]);
    return values[0];
  }

  #values(name: string): readonly string[] {
    const value = this.#raw[name];
    const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
    if (values.length <= maxValues) return values;
    this.problem ??= badParameter(
      name,
      values[0]!,
      `and ${values.length - 1} more values are too many`,
      `give at most ${maxValues}`,
    );
    return [];
  }
}
