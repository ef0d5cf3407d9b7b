import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials } from '../../certs/read.ts';
import { ProblemError } from '../../model/problem.ts';

async function made(t: Test): Promise<(name: string) => string> {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
  return (name) => `${folder}/${name}`;
}

function faults(paths: Parameters<typeof readTlsCredentials>[0]): string[] {
  try {
    readTlsCredentials(paths);
  } catch (error) {
    if (error instanceof ProblemError) return error.message.split('\n');
    throw error;
  }
  return [];
}

t.test('certificates that belong together are read unchanged', async (t) => {
  const at = await made(t);
  const tls = readTlsCredentials({ ca: at('ca.crt'), cert: at('agent-n1.crt'), key: at('agent-n1.key') });
  t.match(tls.cert.toString(), /^-----BEGIN CERTIFICATE-----/);
  t.match(tls.key.toString(), /^-----BEGIN PRIVATE KEY-----/);
});

t.test('all faults are reported together', async (t) => {
  const at = await made(t);
  writeFileSync(at('empty.key'), '');
  t.match(faults({ ca: at('none.crt'), cert: at('ca.key'), key: at('empty.key') }), [
    /^certificate-unreadable: tls\.ca .*none\.crt: cannot be read \(ENOENT\); /,
    /^certificate-unusable: tls\.cert .*ca\.key: it contains no certificate; give a PEM file that begins with /,
    /^certificate-unusable: tls\.key .*empty\.key: it contains no private key, or one with a passphrase; /,
  ]);
});

t.test('a key of another certificate is reported with both files', async (t) => {
  const at = await made(t);
  t.match(faults({ ca: at('ca.crt'), cert: at('agent-n1.crt'), key: at('client.key') }), [
    /^certificate-unusable: tls\.key .*client\.key: it does not belong to the certificate in .*agent-n1\.crt; give /,
  ]);
});
