// The kinds of findings (docs/findings.md).

export const findingKinds = [
  'bypass',
  'blocked',
  'undeclared',
  'broken',
  'unevaluated',
  'grandfathered',
  'inert',
  'drift',
  'spoofed',
  'foreign-source',
  'coverage-gap',
] as const;
export type FindingKind = (typeof findingKinds)[number];
