// What the kernel says of a link in a namespace.
import { run } from '../run.ts';

export async function linkIn(namespace: string, name: string): Promise<{ index: number; mac: string }> {
  const shown = await run('ip', ['-n', namespace, '-j', 'link', 'show', 'dev', name]);
  const [{ ifindex, address }] = JSON.parse(shown) as [{ ifindex: number; address: string }];
  return { index: ifindex, mac: address };
}
