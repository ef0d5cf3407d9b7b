// `waybill certs`: certificates for development, the lab and the demo.
import { isIP } from 'node:net';
import { join } from 'node:path';
import { Command } from 'commander';
import { makeCertificates } from '../certs/make.ts';
import { isNodeName } from '../certs/node-name.ts';
import { type Problem, ProblemError } from '../model/problem.ts';
import { badFlag } from './errors.ts';

type CertsFlags = { out: string; node?: string[]; server?: string[]; days: string; force?: true; newAuthority?: true };

/** As long as an authority is made for. */
const maxDays = 3650;

export function certsCommand(): Command {
  return new Command('certs')
    .description('make development certificates: an authority, the collector’s, one for each node’s agent, a client’s')
    .requiredOption('--out <folder>', 'where they are written; an authority that is there is used again')
    .option('--node <name...>', 'name of a node: its agent gets a certificate (several)')
    .option('--server <name...>', 'DNS name or address that the collector is reached by (several)')
    .option('--days <number>', 'how long they are valid; the authority is for 3650 days', '365')
    .option('--force', 'write over certificates that are there')
    .option('--new-authority', 'make another authority; without --node and --server it signs nothing yet')
    .action(async (flags: CertsFlags) => {
      const problems = problemsOf(flags);
      if (problems.length > 0) throw new ProblemError(...problems);
      const { out, node = [], server = [], days, force = false, newAuthority = false } = flags;
      const request = { folder: out, nodes: node, servers: server, days: Number(days), overwrite: force, newAuthority };
      for (const file of await makeCertificates(request)) process.stdout.write(`${join(out, file)}\n`);
    });
}

function problemsOf({ out, node = [], server = [], days }: CertsFlags): Problem[] {
  const problems: Problem[] = [];
  if (out === '') problems.push(badFlag('--out ""', 'it is no folder', 'give the path of one'));
  if (!/^\d{1,4}$/.test(days) || Number(days) < 1 || Number(days) > maxDays) {
    problems.push(
      badFlag(`--days ${quote(days)}`, 'it is not in its range', `set a whole number from 1 to ${maxDays}`),
    );
  }
  for (const name of node.filter((one) => !isNodeName(one))) {
    const fix = 'write it as its Node object has it: lower case letters, digits, - and .';
    problems.push(badFlag(`--node ${quote(name)}`, 'no node can be called so', fix));
  }
  for (const name of server.filter((one) => !isServerName(one))) {
    const fix = 'write it as collector.example or 192.0.2.1, without a port';
    problems.push(badFlag(`--server ${quote(name)}`, 'it is neither a DNS name nor an IP address', fix));
  }
  return problems;
}

function isServerName(text: string): boolean {
  return isIP(text) > 0 || (isNodeName(text.toLowerCase()) && !/^[\d.]+$/.test(text));
}

/** As the user wrote it, on one line. */
function quote(text: string): string {
  return JSON.stringify(text);
}
