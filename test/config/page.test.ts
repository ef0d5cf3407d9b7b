import { readFileSync } from 'node:fs';
import t from 'tap';
import { agentSchema } from '../../agent/config.ts';
import { collectorSchema } from '../../collector/config.ts';
import { configTable, withTables } from '../../config/page.ts';
import { duration, path } from '../../config/setting.ts';
import { settingNames } from '../../config/setting-names.ts';

const page = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');

t.test('docs/config.md matches the schemas; node setup/config-page.ts generates it', async (t) => {
  t.equal(page, withTables(page, { collector: collectorSchema, agent: agentSchema }));
});

t.test('the table has a row for each section and setting, in the order of the schema', async (t) => {
  const schema = {
    join: { lag: duration({ default: '10s', max: '5m', help: 'the wait' }) },
    tls: { ca: path({ default: '', help: 'who signed' }), key: path({ default: '/k', help: 'its key' }) },
  };
  t.equal(
    configTable(schema),
    `| setting | values | default | description | flag, variable |
| --- | --- | --- | --- | --- |
| **join** | | | | |
| \`join.lag\` | duration, at most 5m | \`10s\` | the wait | \`--join-lag\` \`WAYBILL_JOIN_LAG\` |
| **tls** | | | | |
| \`tls.ca\` | path | none | who signed | \`--tls-ca\` \`WAYBILL_TLS_CA\` |
| \`tls.key\` | path | \`/k\` | its key | \`--tls-key\` \`WAYBILL_TLS_KEY\` |
`,
  );
});

for (const [program, schema] of Object.entries({ agent: agentSchema, collector: collectorSchema })) {
  t.test(`every setting of the ${program} has a help for one table cell, and a valid default`, async (t) => {
    for (const { key, setting } of settingNames(schema)) {
      t.match(setting.help, /^[^|\n]{8,120}[^|\n.]$/, key);
      t.ok('value' in setting.read(setting.defaultText), key);
    }
  });
}
