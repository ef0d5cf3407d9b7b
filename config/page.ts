// Creates the tables of docs/config.md from the schemas. A test compares them with the page.

import type { Schema } from './setting.ts';
import { settingNames } from './setting-names.ts';

/** A row for each section, followed by the rows of its settings. */
export function configTable(schema: Schema): string {
  const rows = settingNames(schema).flatMap(({ section, name, key, flag, variable, setting }) => {
    const defaultCell = setting.defaultText === '' ? 'none' : `\`${setting.defaultText}\``;
    const row = `| \`${key}\` | ${setting.type} | ${defaultCell} | ${setting.help} | \`--${flag}\` \`${variable}\` |`;
    const first = Object.keys(schema[section]!)[0] === name;
    return first ? [`| **${section}** | | | | |`, row] : [row];
  });
  return [
    '| setting | values | default | description | flag, variable |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** Replaces the table below `## waybill NAME` for each program. Throws if the page has no such heading. */
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
