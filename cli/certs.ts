// `waybill certs`: certificates for development, the lab and the demo.
import { Command } from 'commander';
import { makeCertificates } from '../certs/make.ts';

type Flags = { out: string; node?: string[]; server?: string[]; days: string; force?: true };

export function certsCommand(): Command {
  return new Command('certs')
    .description('make development certificates: an authority, the collector’s, one for each node’s agent, a client’s')
    .requiredOption('--out <folder>', 'where they are written; an authority that is there is used again')
    .option('--node <name...>', 'name of a node: its agent gets a certificate (several)')
    .option('--server <name...>', 'DNS name or address that the collector is reached by (several)')
    .option('--days <number>', 'how long they are valid', '365')
    .option('--force', 'write over certificates that are there')
    .action(async ({ out, node = [], server = [], days, force }: Flags) => {
      const made = await makeCertificates({
        folder: out,
        nodes: node,
        servers: server,
        days: Number(days),
        overwrite: force === true,
      });
      for (const file of made) process.stdout.write(`${out}/${file}\n`);
    });
}
