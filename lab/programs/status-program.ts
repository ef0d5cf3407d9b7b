// Queries the collector's status inside the collector's namespace: for each line of stdin it prints the status as a line
// of JSON. One process serves all queries of a lab.
//   node status-program.ts URL CA CERT KEY
import { createInterface } from 'node:readline';
import { CollectorClient } from '../../cli/collector-client.ts';

const [collector, ca, cert, key] = process.argv.slice(2) as [string, string, string, string];
const client = new CollectorClient({ collector, ca, cert, key });

for await (const _ of createInterface({ input: process.stdin })) {
  const { value } = await client.get('/v1/status', new URLSearchParams());
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
