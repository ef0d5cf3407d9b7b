// YAML that both YAML 1.1 and YAML 1.2 readers understand, without control characters.
import { stringify } from 'yaml';
import { escapeYaml } from '../../model/escape.ts';

/** Quotes `no`, `yes`, `on` and `off`: YAML 1.1 readers take them for booleans. */
const yaml11 = { compat: 'yaml-1.1' } as const;

/** A line break is `\n` too, because it could fake a line. */
const quoted = {
  ...yaml11,
  defaultStringType: 'QUOTE_DOUBLE',
  doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
  lineWidth: 0,
} as const;

export function yamlText(value: unknown): string {
  return escapeYaml(stringify(value, yaml11), () => stringify(value, quoted));
}
