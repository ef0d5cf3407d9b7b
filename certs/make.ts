// Creates development certificates: an authority, and certificates for the collector, each agent and a client. A real
// cluster brings its own certificates; they need the same names.
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ProblemError } from '../model/problem.ts';
import { addAuthority, readAuthority } from './authority.ts';
import { authorityEnds, certificatesExist } from './errors.ts';
import { exists, makeFolder, writeCertificates, writeKey } from './folder.ts';
import { nodeUriPrefix } from './node-name.ts';
import { expiryAfterDays, type LeafCertificate, sign } from './sign.ts';

export type CertificatesRequest = {
  folder: string;
  /** Each node gets agent-NAME.crt and agent-NAME.key. */
  nodes: readonly string[];
  /** DNS names and IP addresses of the collector. */
  servers: readonly string[];
  days: number;
  overwrite: boolean;
  /** Creates another authority; the existing one stays trusted. It signs nothing yet without `nodes` and `servers`. */
  newAuthority?: boolean;
};

const dayMs = 86_400_000;

/** Returns the written files. Uses an existing authority again; no certificate outlives its authority. */
export async function makeCertificates(request: CertificatesRequest): Promise<string[]> {
  const { folder, overwrite, days, newAuthority = false } = request;
  const nowMs = Date.now();
  const leaves = leafCertificates(request);
  await makeFolder(folder);
  const existingFiles: string[] = [];
  for (const { file } of leaves) if (await exists(join(folder, `${file}.key`))) existingFiles.push(`${file}.key`);
  if (existingFiles.length > 0 && !overwrite) throw new ProblemError(certificatesExist(folder, existingFiles));
  const existingAuthority = newAuthority ? undefined : await readAuthority(folder);
  const authority = existingAuthority ?? (await addAuthority(folder, nowMs));
  const writtenFiles = existingAuthority === undefined ? ['ca.crt', 'ca.key'] : [];
  const notAfter = expiryAfterDays(days, nowMs);
  if (notAfter > authority.notAfter) {
    const daysLeft = Math.floor((authority.notAfter.getTime() - nowMs) / dayMs);
    throw new ProblemError(authorityEnds(join(folder, 'ca.crt'), authority.notAfter, days, daysLeft));
  }
  for (const { file, ...leaf } of leaves) {
    const pair = await sign(leaf, authority, notAfter);
    await writeCertificates(join(folder, `${file}.crt`), [pair.certificate]);
    await writeKey(join(folder, `${file}.key`), pair.key);
    writtenFiles.push(`${file}.crt`, `${file}.key`);
  }
  return writtenFiles;
}

function leafCertificates({
  nodes,
  servers,
  newAuthority,
}: CertificatesRequest): (LeafCertificate & { file: string })[] {
  if (newAuthority && nodes.length + servers.length === 0) return [];
  const client = (file: string, uri: string) => {
    return { file, name: file, usage: 'client' as const, altNames: [{ type: 'url' as const, value: uri }] };
  };
  const collector = {
    file: 'collector',
    name: 'collector',
    usage: 'server' as const,
    altNames: servers.map(serverAltName),
  };
  return [
    ...(servers.length > 0 ? [collector] : []),
    ...nodes.map((node) => client(`agent-${node}`, `${nodeUriPrefix}${node}`)),
    client('client', 'waybill://client'),
  ];
}

function serverAltName(server: string): { type: 'dns' | 'ip'; value: string } {
  return { type: isIP(server) > 0 ? 'ip' : 'dns', value: server };
}
