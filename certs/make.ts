// Development certificates: one authority, the collector's, one for each node's agent, and a client's for the command
// line. Real clusters bring their own; what the names must be stands here.
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ProblemError } from '../model/problem.ts';
import { addAuthority, readAuthority } from './authority.ts';
import { authorityEnds, certificatesExist } from './errors.ts';
import { isThere, makeFolder, writeCertificates, writeKey } from './folder.ts';
import { nodeUriPrefix } from './node-name.ts';
import { endAfter, sign, type Wanted } from './sign.ts';

export type CertificatesWanted = {
  folder: string;
  /** Names of nodes; each gets agent-NAME.crt and agent-NAME.key. */
  nodes: readonly string[];
  /** DNS names and IP addresses that the collector is reached by. */
  servers: readonly string[];
  days: number;
  /** Whether files that are there may be written over. */
  overwrite: boolean;
  /** An authority is made beside the one that is there; it signs nothing yet where neither nodes nor servers are given. */
  newAuthority?: boolean;
};

const dayMs = 86_400_000;

/** Returns the files written. An authority that is in the folder is used again, and signs nothing that outlives it. */
export async function makeCertificates(wanted: CertificatesWanted): Promise<string[]> {
  const { folder, overwrite, days, newAuthority = false } = wanted;
  const nowMs = Date.now();
  const named = namedBy(wanted);
  await makeFolder(folder);
  const taken: string[] = [];
  for (const { file } of named) if (await isThere(join(folder, `${file}.key`))) taken.push(`${file}.key`);
  if (taken.length > 0 && !overwrite) throw new ProblemError(certificatesExist(folder, taken));
  const found = newAuthority ? undefined : await readAuthority(folder);
  const authority = found ?? (await addAuthority(folder, nowMs));
  const written = found === undefined ? ['ca.crt', 'ca.key'] : [];
  const notAfter = endAfter(days, nowMs);
  if (notAfter > authority.notAfter) {
    const daysLeft = Math.floor((authority.notAfter.getTime() - nowMs) / dayMs);
    throw new ProblemError(authorityEnds(join(folder, 'ca.crt'), authority.notAfter, days, daysLeft));
  }
  for (const { file, ...whose } of named) {
    const pair = await sign(whose, authority, notAfter);
    await writeCertificates(join(folder, `${file}.crt`), [pair.certificate]);
    await writeKey(join(folder, `${file}.key`), pair.key);
    written.push(`${file}.crt`, `${file}.key`);
  }
  return written;
}

function namedBy({ nodes, servers, newAuthority }: CertificatesWanted): (Wanted & { file: string })[] {
  if (newAuthority && nodes.length + servers.length === 0) return [];
  const client = (file: string, uri: string) => {
    return { file, name: file, usage: 'client' as const, names: [{ type: 'url' as const, value: uri }] };
  };
  const collector = { file: 'collector', name: 'collector', usage: 'server' as const, names: servers.map(serverName) };
  return [
    ...(servers.length > 0 ? [collector] : []),
    ...nodes.map((node) => client(`agent-${node}`, `${nodeUriPrefix}${node}`)),
    client('client', 'waybill://client'),
  ];
}

function serverName(server: string): { type: 'dns' | 'ip'; value: string } {
  return { type: isIP(server) > 0 ? 'ip' : 'dns', value: server };
}
