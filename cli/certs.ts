// `waybill certs`: certificates for development, the lab and the demo.
import { isIP } from 'node:net';
import { join } from 'node:path';
import { Command } from 'commander';
import { makeCertificates } from '../certs/make.ts';
import { isNodeName } from '../certs/node-name.ts';
import { type Problem, ProblemError } from '../model/problem.ts';
import { badFlag } from './errors.ts';
import { printLine } from './output/print.ts';

type CertsFlags = { out: string; node?: string[]; server?: string[]; days: string; force?: true; newAuthority?: true };

/** The validity of an authority. */
const maxDays = 3650;

export function certsCommand(): Command {
  return new Command('certs')
    .description('Create development certificates for a collector, its agents and a client')
    .requiredOption('--out <folder>', 'Folder for the certificates (required); an existing authority in it is reused')
    .option('--node <name...>', 'Names of nodes; the agent of each gets a certificate')
    .option('--server <name...>', 'DNS names or IP addresses of the collector')
    .option('--days <number>', `Validity in days, 1 to ${maxDays}`, '365')
    .option('--force', 'Overwrite existing certificates')
    .option('--new-authority', 'Create a new authority; without --node and --server, create nothing else')
    .action(async (flags: CertsFlags) => {
      const problems = problemsOf(flags);
      if (problems.length > 0) throw new ProblemError(...problems);
      const { out, node = [], server = [], days, force = false, newAuthority = false } = flags;
      const request = { folder: out, nodes: node, servers: server, days: Number(days), overwrite: force, newAuthority };
      for (const file of await makeCertificates(request)) printLine(process.stdout, join(out, file));
    });
}

function problemsOf({ out, node = [], server = [], days }: CertsFlags): Problem[] {
  const problems: Problem[] = [];
  if (out === '') problems.push(badFlag('--out ""', 'the path is empty', 'set the path of a folder'));
  if (!/^\d{1,4}$/.test(days) || Number(days) < 1 || Number(days) > maxDays) {
    problems.push(badFlag(`--days ${quote(days)}`, 'it is out of range', `set a whole number from 1 to ${maxDays}`));
  }
  for (const name of node.filter((one) => !isNodeName(one))) {
    const fix = 'write the name of the Node object: lower case letters, digits, - and .';
    problems.push(badFlag(`--node ${quote(name)}`, 'it is not a valid node name', fix));
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

function quote(text: string): string {
  return JSON.stringify(text);
}
