// Rotates an authority in the steps of docs/install.md; every connection keeps working.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials, type TlsCredentials } from '../../certs/read.ts';

type Sides = { agent: TlsCredentials; collector: TlsCredentials };

/** Whether both trust each other. */
async function shakeHands(agent: TlsCredentials, collector: TlsCredentials): Promise<boolean> {
  const server = createServer({ ...collector, requestCert: true, rejectUnauthorized: true });
  server.on('secureConnection', (socket: TLSSocket) => socket.end('welcome'));
  await once(server.listen(0, 'localhost'), 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ ...agent, host: 'localhost', port, servername: 'localhost' });
  const isTrusted = await new Promise<boolean>((resolve) => {
    socket.on('data', () => resolve(true)).on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
  socket.destroy();
  server.close();
  return isTrusted;
}

t.test('at each step, programs with old and new certificates trust each other', async (t) => {
  const folder = t.testdir();
  const wanted = { folder, nodes: ['n1'], servers: ['localhost'], days: 1 };
  const tls = (name: string) => {
    return readTlsCredentials({ ca: `${folder}/ca.crt`, cert: `${folder}/${name}.crt`, key: `${folder}/${name}.key` });
  };
  const sides = (): Sides => ({ agent: tls('agent-n1'), collector: tls('collector') });

  await makeCertificates({ ...wanted, overwrite: false });
  const steps = [sides()];
  await makeCertificates({ ...wanted, nodes: [], servers: [], overwrite: false, newAuthority: true });
  steps.push(sides());
  await makeCertificates({ ...wanted, overwrite: true });
  steps.push(sides());
  writeFileSync(`${folder}/ca.crt`, new X509Certificate(readFileSync(`${folder}/ca.crt`)).toString());
  steps.push(sides());

  for (const [at, { agent, collector }] of steps.entries()) {
    t.ok(await shakeHands(agent, collector), `after step ${at}`);
    const former = steps[at - 1];
    if (former === undefined) continue;
    t.ok(await shakeHands(agent, former.collector), `step ${at}: the agent restarted first`);
    t.ok(await shakeHands(former.agent, collector), `step ${at}: the collector restarted first`);
  }
  t.notOk(await shakeHands(steps[0]!.agent, steps[3]!.collector), 'the old authority is no longer trusted');
});

t.test('a new authority can sign everything in one step, and keeps valid old authorities', async (t) => {
  const folder = t.testdir();
  const wanted = { folder, nodes: ['n1'], servers: [], days: 1, newAuthority: true };
  await makeCertificates({ ...wanted, overwrite: false });
  const first = new X509Certificate(readFileSync(`${folder}/ca.crt`));
  await t.rejects(makeCertificates({ ...wanted, overwrite: false }), { message: /^certificates-exist: / });
  await makeCertificates({ ...wanted, overwrite: true });
  const authorityFile = readFileSync(`${folder}/ca.crt`, 'utf8');
  t.equal(authorityFile.split('BEGIN CERTIFICATE').length, 3);
  t.ok(authorityFile.includes(first.toString()));
  const agent = new X509Certificate(readFileSync(`${folder}/agent-n1.crt`));
  t.ok(agent.verify(new X509Certificate(authorityFile).publicKey), 'the first authority of the file signs');
});
