// Queries the collector's API inside the collector's namespace: for each path on a line of stdin it prints the answer as a
// line of JSON. One process serves all queries of a lab.
//   node api-program.ts URL CA CERT KEY
//   /v1/flows?from-pod=shop/web-0&last=100
import { createInterface } from 'node:readline';
import { CollectorClient } from '../../cli/collector-client.ts';
import { ProblemError, problemLine } from '../../model/problem.ts';

/** `error` is the line of the problem. */
export type ApiAnswer = { value: unknown } | { error: string };

const [collector, ca, cert, key] = process.argv.slice(2) as [string, string, string, string];
const client = new CollectorClient({ collector, ca, cert, key });

for await (const line of createInterface({ input: process.stdin })) {
  const { pathname, searchParams } = new URL(line, collector);
  const answer = await client.get(pathname, searchParams).then(
    ({ value }): ApiAnswer => ({ value }),
    (error: unknown): ApiAnswer => {
      if (error instanceof ProblemError) return { error: error.problems.map(problemLine).join(' ') };
      throw error;
    },
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
