import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { isNodeName, nodeOfCertificate } from '../../certs/node-name.ts';
import { expiryAfterDays, makeAuthority } from '../../certs/sign.ts';

function wanted(folder: string) {
  return { folder, nodes: ['n1', 'node-2.example'], servers: ['localhost', '127.0.0.1'], days: 1, overwrite: false };
}

t.test('only the certificate of an agent names a node', async (t) => {
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

t.test('files are overwritten only on request, and nodes can be added under the same authority', async (t) => {
  const folder = t.testdir();
  await makeCertificates(wanted(folder));
  await t.rejects(makeCertificates(wanted(folder)), { message: /certificates-exist: .*agent-n1\.key.*--force/ });
  await makeCertificates({ ...wanted(folder), nodes: ['n3'], servers: [], overwrite: true });
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, name)));
  t.ok(read('agent-n3.crt').verify(read('ca.crt').publicKey));
  t.ok(read('agent-n1.crt').verify(read('ca.crt').publicKey));
});

t.test('an authority outlives its certificates, and renews them', async (t) => {
  const folder = t.testdir();
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, name)));
  await makeCertificates({ ...wanted(folder), days: 30 });
  const before = read('ca.crt').fingerprint256;
  await makeCertificates({ ...wanted(folder), days: 365, overwrite: true });
  t.equal(read('ca.crt').fingerprint256, before);
  t.ok(read('ca.crt').validToDate > read('agent-n1.crt').validToDate);
});

t.test(
  'a certificate that would outlive its authority is refused, with the time that the authority expires',
  async (t) => {
    const folder = t.testdir();
    const ending = async (days: number) => {
      const { pair } = await makeAuthority(expiryAfterDays(days, Date.now()));
      writeFileSync(join(folder, 'ca.crt'), pair.certificate);
      writeFileSync(join(folder, 'ca.key'), pair.key);
      return new X509Certificate(pair.certificate).validToDate.toISOString().slice(0, 19);
    };
    const end = await ending(20.5);
    await t.rejects(makeCertificates({ ...wanted(folder), days: 21 }), {
      message: new RegExp(
        `^authority-ends: .*ca\\.crt: .* expires at ${end}Z.*; set --days 20 or less, or .*--new-authority`,
      ),
    });
    t.notOk(existsSync(join(folder, 'agent-n1.crt')), 'nothing is written');
    await makeCertificates({ ...wanted(folder), days: 20 });
    await ending(-1);
    await t.rejects(makeCertificates({ ...wanted(folder), overwrite: true }), {
      message: /^authority-ends: [^;]*; create a new authority with --new-authority/,
    });
  },
);

t.test('an authority that cannot sign is replaced only on request', async (t) => {
  const folder = t.testdir();
  await makeCertificates(wanted(folder));
  const again = () => makeCertificates({ ...wanted(folder), overwrite: true });
  renameSync(join(folder, 'ca.key'), join(folder, 'kept.key'));
  await t.rejects(again(), {
    message: /^certificate-unreadable: .*ca\.key: cannot be read \(ENOENT\).*; restore the file/,
  });
  for (const key of [readFileSync(join(folder, 'client.key')), 'no key']) {
    writeFileSync(join(folder, 'ca.key'), key);
    await t.rejects(again(), { message: /^certificate-unusable: .*ca\.key: it is not the key of the first/ });
  }
  renameSync(join(folder, 'kept.key'), join(folder, 'ca.key'));
  writeFileSync(join(folder, 'ca.crt'), 'no certificate');
  await t.rejects(again(), { message: /^certificate-unusable: .*ca\.crt: it contains no certificate; / });
});

t.test('node names are valid if Kubernetes allows them', async (t) => {
  for (const name of ['n1', '10', 'node-1.example', 'a'.repeat(253)]) t.ok(isNodeName(name), name);
  for (const name of ['', 'N1', 'a b/../c', '-a', 'a-', 'a..b', 'a.-b', 'a_b', 'a\n', 'a'.repeat(254)]) {
    t.notOk(isNodeName(name), name);
  }
});
