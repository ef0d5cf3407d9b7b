// The tables of docs/config.md, made from the declarations; a test compares.

import type { Schema } from './setting.ts';
import { settingNames } from './setting-names.ts';

/** A row for each section, and below it one for each of its settings. */
export function configTable(schema: Schema): string {
  const rows = settingNames(schema).flatMap(({ section, name, key, flag, variable, setting }) => {
    const defaultCell = setting.defaultText === '' ? 'none' : `\`${setting.defaultText}\``;
    const row = `| \`${key}\` | ${setting.type} | ${defaultCell} | ${setting.help} | \`--${flag}\` \`${variable}\` |`;
    const first = Object.keys(schema[section]!)[0] === name;
    return first ? [`| **${section}** | | | | |`, row] : [row];
  });
  return [
    '| setting | values | default | what it does | flag, variable |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The page with the table of each program, `## waybill NAME`, as it is to be; throws where it has no such heading. */
export function withTables(page: string, schemas: Readonly<Record<string, Schema>>): string {
  return Object.entries(schemas).reduce((text, [program, schema]) => {
    const heading = `\n## waybill ${program}\n\n`;
    const at = text.indexOf(heading);
    if (at < 0) throw new Error(`docs/config.md has no heading "## waybill ${program}"`);
    const after = text.indexOf('\n## ', at + heading.length);
    const rest = after < 0 ? '' : text.slice(after);
    return `${text.slice(0, at)}${heading}${configTable(schema)}${rest}`;
  }, page);
}
