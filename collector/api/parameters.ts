// The parameters of a request into a query; what cannot be read is a Problem that names it.
import { type FindingKind, type Severity, severities } from '../../model/finding.ts';
import type { Problem } from '../../model/problem.ts';
import type { VerdictName } from '../../model/verdict.ts';
import type { Query } from '../store/store.ts';
import { badParameter, unknownParameter } from './errors.ts';

export const findingKinds: readonly FindingKind[] = [
  'bypass',
  'blocked',
  'undeclared',
  'broken',
  'grandfathered',
  'inert',
];
export const verdictNames: readonly VerdictName[] = ['allowed', 'undeclared', 'denied', 'unknown'];

export const parameterNames = [
  'namespace',
  'pod',
  'kind',
  'severity',
  'verdict',
  'since',
  'until',
  'last',
  'follow',
] as const;

const lastMost = 10_000;
const lastDefault = 100;

export type Asked = { query: Query; follow: boolean };

/** Times are RFC 3339. A parameter given twice means either. */
export function readParameters(raw: Readonly<Record<string, unknown>>): Asked | Problem {
  for (const name of Object.keys(raw)) {
    if (!parameterNames.some((known) => known === name)) return unknownParameter(name, parameterNames);
  }
  const kinds = among(raw, 'kind', findingKinds);
  const severity = among(raw, 'severity', severities);
  const verdicts = among(raw, 'verdict', verdictNames);
  const sinceUs = time(raw, 'since');
  const untilUs = time(raw, 'until');
  const last = valuesOf(raw, 'last').at(-1) ?? String(lastDefault);
  const follow = valuesOf(raw, 'follow').at(-1) ?? 'false';
  for (const one of [kinds, severity, verdicts, sinceUs, untilUs]) if (isProblem(one)) return one;
  if (!/^\d{1,5}$/.test(last) || Number(last) > lastMost) return badParameter('last', last, `set 0 to ${lastMost}`);
  if (follow !== 'true' && follow !== 'false') return badParameter('follow', follow, 'set true or false');
  const query: Query = {
    namespaces: valuesOf(raw, 'namespace'),
    pods: valuesOf(raw, 'pod'),
    kinds: kinds as FindingKind[],
    severities: severity as Severity[],
    verdicts: verdicts as VerdictName[],
    ...(sinceUs === undefined ? {} : { sinceUs: sinceUs as number }),
    ...(untilUs === undefined ? {} : { untilUs: untilUs as number }),
    last: Number(last),
  };
  return { query, follow: follow === 'true' };
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'mend' in value;
}

function valuesOf(raw: Readonly<Record<string, unknown>>, name: string): string[] {
  const value = raw[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

function among<Value extends string>(
  raw: Readonly<Record<string, unknown>>,
  name: string,
  known: readonly Value[],
): Value[] | Problem {
  const wanted = valuesOf(raw, name);
  const odd = wanted.find((one) => !known.some((value) => value === one));
  return odd === undefined ? (wanted as Value[]) : badParameter(name, odd, `use ${known.join(', ')}`);
}

function time(raw: Readonly<Record<string, unknown>>, name: string): number | undefined | Problem {
  const text = valuesOf(raw, name).at(-1);
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? badParameter(name, text, 'write it as 2026-01-31T12:00:00Z') : ms * 1000;
}
