// Index and hardware address of a link in a namespace.
import { run } from '../system/run.ts';

export async function linkIn(namespace: string, name: string): Promise<{ index: number; mac: string }> {
  const output = await run('ip', ['-n', namespace, '-j', 'link', 'show', 'dev', name]);
  const [{ ifindex, address }] = JSON.parse(output) as [{ ifindex: number; address: string }];
  return { index: ifindex, mac: address };
}
