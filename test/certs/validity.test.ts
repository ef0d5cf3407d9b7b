import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials } from '../../certs/read.ts';
import { expiryAfterDays, makeAuthority, sign } from '../../certs/sign.ts';
import { expiringSoonAt, loadedCertificates, notValidAt } from '../../certs/validity.ts';
import { problemLine } from '../../model/problem.ts';

const dayMs = 86_400_000;
const place = (name: string) => name;
const pem = (...certificates: string[]) => Buffer.from(certificates.join('\n'));

async function made(t: Test, days: number) {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1'], servers: [], days, overwrite: false });
  const paths = { ca: `${folder}/ca.crt`, cert: `${folder}/agent-n1.crt`, key: `${folder}/agent-n1.key` };
  return { paths, ends: new X509Certificate(readFileSync(paths.cert)).validToDate };
}

t.test('a certificate that has expired or is not valid yet is refused', async (t) => {
  const { paths, ends } = await made(t, 100);
  const endText = ends.toISOString().slice(0, 19);
  t.throws(() => readTlsCredentials(paths, ends.getTime() + 1), {
    message: new RegExp(
      `^certificate-expired: tls\\.cert [^;]*agent-n1\\.crt: it expired at ${endText}Z; issue a new one from `,
    ),
  });
  t.doesNotThrow(() => readTlsCredentials(paths, ends.getTime() - 1));
  t.throws(() => readTlsCredentials(paths, Date.now() - dayMs), {
    message: new RegExp(
      '^certificate-not-yet-valid: tls\\.cert [^;]*: it is valid from 2.*Z, and this machine’s clock shows 2.*Z; correct .*\n' +
        'certificate-not-yet-valid: tls\\.ca ',
    ),
  });
});

t.test('an expiry is reported from 30 days before', async (t) => {
  const { paths, ends } = await made(t, 100);
  const certificates = loadedCertificates(readTlsCredentials(paths), place);
  t.same(expiringSoonAt(ends.getTime() - 30 * dayMs - 1, certificates), []);
  t.match(expiringSoonAt(ends.getTime() - 30 * dayMs + 1, certificates), [
    { code: 'certificate-ends-soon', place: 'cert' },
  ]);
  t.same(expiringSoonAt(ends.getTime() + 1, certificates), [], 'an expired certificate has another code');
});

t.test('of several authorities, the one that signed the certificate is checked', async (t) => {
  const nowMs = Date.now();
  const [ended, old, young] = await Promise.all(
    [-1, 10, 100].map((days) => makeAuthority(expiryAfterDays(days, nowMs))),
  );
  const whose = { name: 'n1', usage: 'client' as const, altNames: [] };
  const ca = pem(young!.pair.certificate, old!.pair.certificate, ended!.pair.certificate);
  const certificatesSignedBy = async (authority: typeof old) => {
    const { certificate } = await sign(whose, authority!.authority, expiryAfterDays(200, nowMs));
    return loadedCertificates({ ca, cert: pem(certificate) }, place);
  };
  t.match(notValidAt(nowMs, await certificatesSignedBy(ended)).map(problemLine), [
    /^certificate-expired: ca: .*; rotate the authority/,
  ]);
  t.match(expiringSoonAt(nowMs, await certificatesSignedBy(old)), [{ code: 'certificate-ends-soon', place: 'ca' }]);
  t.same(expiringSoonAt(nowMs, await certificatesSignedBy(young)), []);
  const other = await makeAuthority(expiryAfterDays(100, nowMs));
  t.same(
    notValidAt(nowMs, await certificatesSignedBy(other)),
    [],
    'without the issuer, the authority that expires last is checked',
  );
});
