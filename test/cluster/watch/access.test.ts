import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { accessByKubeconfig } from '../../../cluster/watch/access.ts';
import { folderFor } from '../../scene/file-read.ts';

const kubeconfig = (user: string) => `
apiVersion: v1
kind: Config
current-context: here
contexts: [{ name: here, context: { cluster: it, user: waybill } }]
clusters: [{ name: it, cluster: { server: "https://192.0.2.1:6443/" } }]
users:
  - { name: other, user: { tokenFile: other-token } }
  - { name: waybill, user: ${user} }
`;

function scene(t: Parameters<typeof folderFor>[0], user: string) {
  const folder = folderFor(t);
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write('config', kubeconfig(user));
  return { folder, write, path: join(folder, 'config') };
}

/** The header that the API server gets, whatever its case. */
async function authorization(access: Awaited<ReturnType<typeof accessByKubeconfig>>) {
  const { headers } = await access.requestOptions();
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    name.toLowerCase() === 'authorization' ? value : [],
  );
}

t.test('tokenFile is relative to the kubeconfig, and a renewed token is used', async (t) => {
  const { write, path } = scene(t, '{ tokenFile: token }');
  write('token', 'first\n');
  const access = await accessByKubeconfig(path);
  t.equal(access.base, 'https://192.0.2.1:6443');
  t.same(await authorization(access), ['Bearer first']);
  write('token', 'second\n');
  t.same(await authorization(access), ['Bearer second']);
});

t.test('tokenFile outweighs token, and the last token is used while the file is missing', async (t) => {
  const { write, path, folder } = scene(t, '{ token: old, tokenFile: token }');
  write('token', 'new');
  const access = await accessByKubeconfig(path);
  t.same(await authorization(access), ['Bearer new']);
  rmSync(join(folder, 'token'));
  t.same(await authorization(access), ['Bearer new']);
});

t.test('a token in the kubeconfig is used as it is', async (t) => {
  t.same(await authorization(await accessByKubeconfig(scene(t, '{ token: plain }').path)), ['Bearer plain']);
});

t.test('a tokenFile that cannot be read at the start is an error', async (t) => {
  const { path } = scene(t, '{ tokenFile: nowhere }');
  await t.rejects(accessByKubeconfig(path), { message: /^no-kubeconfig: .*ENOENT: .*nowhere/ });
});
