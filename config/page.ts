// The page docs/config.md, made from the declarations; a test compares.
import { namedSettings } from './names.ts';
import type { Schema } from './setting.ts';

export function configTable(schema: Schema): string {
  const rows = namedSettings(schema).map(({ key, flag, variable, setting }) => {
    const standard = setting.defaultText === '' ? 'none' : `\`${setting.defaultText}\``;
    return `| \`${key}\` | ${setting.type} | ${standard} | ${setting.help} | \`--${flag}\`, \`${variable}\` |`;
  });
  return [
    '| setting | values | default | what it does | flag, variable |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
