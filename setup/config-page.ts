// Generates the tables of docs/config.md from the schemas: node setup/config-page.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { agentSchema } from '../agent/config.ts';
import { collectorSchema } from '../collector/config.ts';
import { withTables } from '../config/page.ts';

const page = new URL('../docs/config.md', import.meta.url);
writeFileSync(page, withTables(readFileSync(page, 'utf8'), { collector: collectorSchema, agent: agentSchema }));
