// Asks the collector for its status from inside of its namespace, once for each line that it is given, and tells the answer
// as a line: one process for all questions.
//   node asker.ts URL CA CERT KEY
import { createInterface } from 'node:readline';
import { CollectorClient } from '../../cli/collector-client.ts';

const [collector, ca, cert, key] = process.argv.slice(2) as [string, string, string, string];
const client = new CollectorClient({ collector, ca, cert, key });

for await (const _ of createInterface({ input: process.stdin })) {
  const { value } = await client.get('/v1/status', new URLSearchParams());
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
