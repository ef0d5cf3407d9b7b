// Compiles the lab's own BPF programs when a topology needs them: the addresses and ports are compiled in.
import { join } from 'node:path';
import { type Address, addressBytes, isIpv6 } from '../../../model/address.ts';
import { run } from '../run.ts';

const source = (name: string) => new URL(`${name}.bpf.c`, import.meta.url).pathname;
const multiarch = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch as 'x64' | 'arm64'];

/** Returns the path of the object file; `suffix` makes its name unique in the folder. */
export async function compile(
  name: 'drop' | 'redirect',
  defines: Readonly<Record<string, string | number>>,
  folder: string,
  suffix: string,
): Promise<string> {
  const object = join(folder, `${name}-${suffix}.bpf.o`);
  const flags = Object.entries(defines).map(([word, value]) => `-D${word}=${value}`);
  // Without -g there is no BTF, which nothing here needs.
  await run('clang', [
    '-O2',
    '-target',
    'bpf',
    `-I/usr/include/${multiarch}`,
    ...flags,
    '-c',
    source(name),
    '-o',
    object,
  ]);
  return object;
}

/** The address of each family as 32-bit words for `-D`; 0 if a family has no address. */
export function addressWords(addresses: readonly Address[]): { ipv4: string; ipv6: string } {
  const words = (address: Address | undefined) => {
    if (address === undefined) return '0';
    const bytes = Buffer.from(addressBytes(address));
    return Array.from({ length: bytes.length / 4 }, (_, i) => `0x${bytes.readUInt32BE(i * 4).toString(16)}`).join(',');
  };
  return { ipv4: words(addresses.find((one) => !isIpv6(one))), ipv6: words(addresses.find(isIpv6)) };
}
