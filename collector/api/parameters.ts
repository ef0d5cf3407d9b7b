// The parameters of a request into a query. Several values of one parameter mean either; an unknown parameter and a
// value that makes no sense are problems that name it, never passed over.
import { type FindingKind, severities } from '../../model/finding.ts';
import type { Problem } from '../../model/problem.ts';
import type { VerdictName } from '../../model/verdict.ts';
import type { Query } from '../store/store.ts';
import { badParameter, unknownParameter } from './errors.ts';
import { parseTimeUs, timeMend } from './times.ts';

export const findingKinds: readonly FindingKind[] = [
  'bypass',
  'blocked',
  'undeclared',
  'broken',
  'grandfathered',
  'inert',
  'drift',
];
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

/** What one answer may hold: it is in memory for a moment. */
export const lastMost = 10_000;
export const lastUnasked = { findings: lastMost, flows: 100 };
const lastOfFollow = 20;
const valuesMost = 100;
/** As long as a name in Kubernetes may be. */
const nameCharactersMost = 253;

/** `follow`: after the last ones of the past, new ones as they come. */
export type Asked = { query: Query; follow: boolean };

/** As a query string is parsed: a text, or several where the parameter is given more than once. */
export type RawParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

export function readParameters(of: keyof typeof parameterNames, raw: RawParameters, nowUs: number): Asked | Problem {
  const known: readonly string[] = parameterNames[of];
  const unknown = Object.keys(raw).find((name) => !known.includes(name));
  if (unknown !== undefined) return unknownParameter(unknown, known);
  const read = new Reading(raw);
  const [sinceUs, untilUs] = [read.timeUs('since', nowUs), read.timeUs('until', nowUs)];
  const follow = read.word('follow', ['true', 'false']) === 'true';
  const query: Query = {
    namespaces: read.names('namespace'),
    pods: read.pods('pod'),
    fromPods: read.pods('from-pod'),
    toPods: read.pods('to-pod'),
    ports: read.ports('port'),
    kinds: read.words('kind', findingKinds),
    severities: read.words('severity', severities),
    verdicts: read.words('verdict', verdictNames),
    ...(sinceUs === undefined ? {} : { sinceUs }),
    ...(untilUs === undefined ? {} : { untilUs }),
    last: read.last(follow ? lastOfFollow : lastUnasked[of]),
  };
  if (sinceUs !== undefined && untilUs !== undefined && sinceUs >= untilUs) {
    read.fault('until', 'is not after since', 'set a later one');
  }
  if (follow && untilUs !== undefined) read.fault('until', 'means nothing with follow', 'leave one of them out');
  return read.problem ?? { query, follow };
}

export function isProblem(value: Asked | Problem): value is Problem {
  return 'mend' in value;
}

/** Keeps the first problem, so that the parameters are read in a row. */
class Reading {
  problem: Problem | undefined;
  readonly #raw: RawParameters;

  constructor(raw: RawParameters) {
    this.#raw = raw;
  }

  fault(name: string, fault: string, mend: string, value = this.#values(name)[0] ?? ''): void {
    this.problem ??= badParameter(name, value, fault, mend);
  }

  names(name: string): readonly string[] {
    const values = this.#values(name);
    const odd = values.find((value) => value === '' || value.length > nameCharactersMost);
    if (odd !== undefined) this.fault(name, 'is no name', 'write a name, or leave the parameter out', odd);
    return values;
  }

  /** NAME or NAMESPACE/NAME. */
  pods(name: string): readonly string[] {
    const values = this.#values(name);
    const isName = (text: string) => text !== '' && text.length <= nameCharactersMost;
    const odd = values.find((value) => value.split('/').length > 2 || !value.split('/').every(isName));
    if (odd !== undefined) this.fault(name, 'is no name', 'write it as NAME or NAMESPACE/NAME', odd);
    return values;
  }

  ports(name: string): readonly number[] {
    const values = this.#values(name);
    const odd = values.find((value) => !/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65_535);
    if (odd !== undefined) this.fault(name, 'is no port', 'set a number from 1 to 65535', odd);
    return values.map(Number);
  }

  words<Value extends string>(name: string, known: readonly Value[]): readonly Value[] {
    const values = this.#values(name);
    const odd = values.find((value) => !known.some((word) => word === value));
    if (odd !== undefined) this.fault(name, 'is none of its values', `use ${known.join(', ')}`, odd);
    return values as readonly Value[];
  }

  word<Value extends string>(name: string, known: readonly Value[]): Value | undefined {
    this.#once(name);
    return this.words(name, known)[0];
  }

  timeUs(name: string, nowUs: number): number | undefined {
    const text = this.#once(name);
    if (text === undefined) return undefined;
    const us = parseTimeUs(text, nowUs);
    if (us === undefined) this.fault(name, 'is no time', timeMend);
    return us;
  }

  last(unasked: number): number {
    const text = this.#once('last');
    if (text === undefined) return unasked;
    const last = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (last < 1 || last > lastMost) this.fault('last', 'is not in its range', `set 1 to ${lastMost}`);
    return last;
  }

  #once(name: string): string | undefined {
    const values = this.#values(name);
    if (values.length > 1) this.fault(name, 'is given a second time', 'give it once', values[1]);
    return values[0];
  }

  #values(name: string): readonly string[] {
    const value = this.#raw[name];
    const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
    if (values.length <= valuesMost) return values;
    this.problem ??= badParameter(name, values[0]!, `and ${values.length - 1} more`, `give at most ${valuesMost}`);
    return [];
  }
}
