import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { nodeOfCertificate } from '../../certs/node-name.ts';

function wanted(folder: string) {
  return { folder, nodes: ['n1', 'node-2.example'], servers: ['localhost', '127.0.0.1'], days: 1, overwrite: false };
}

t.test('an agent’s certificate names its node, others name none', async (t) => {
  const folder = t.testdir();
  await makeCertificates(wanted(folder));
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, name)));
  t.equal(nodeOfCertificate(read('agent-n1.crt').raw), 'n1');
  t.equal(nodeOfCertificate(read('agent-node-2.example.crt').raw), 'node-2.example');
  t.equal(nodeOfCertificate(read('collector.crt').raw), undefined);
  t.equal(nodeOfCertificate(read('client.crt').raw), undefined);
  t.equal(nodeOfCertificate(Buffer.from('no certificate')), undefined);
  t.equal(nodeOfCertificate(undefined), undefined);
  const authority = read('ca.crt');
  for (const name of ['agent-n1.crt', 'collector.crt', 'client.crt'])
    t.ok(read(name).verify(authority.publicKey), name);
  t.ok(read('collector.crt').checkHost('localhost'));
  t.ok(read('collector.crt').checkIP('127.0.0.1'));
});

t.test('keys are readable by their owner only', async (t) => {
  const folder = t.testdir();
  await makeCertificates(wanted(folder));
  for (const name of ['ca.key', 'collector.key', 'agent-n1.key', 'client.key']) {
    t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  }
});

t.test('nothing is written over unasked, and nodes can be added under the same authority', async (t) => {
  const folder = t.testdir();
  await makeCertificates(wanted(folder));
  await t.rejects(makeCertificates(wanted(folder)), { message: /certificates-exist: .*agent-n1\.key.*--force/ });
  await makeCertificates({ ...wanted(folder), nodes: ['n3'], servers: [], overwrite: true });
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, name)));
  t.ok(read('agent-n3.crt').verify(read('ca.crt').publicKey));
  t.ok(read('agent-n1.crt').verify(read('ca.crt').publicKey));
});
