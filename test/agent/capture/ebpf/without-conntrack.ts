// Compiles the program so that it loads as on a kernel without conntrack lookups for BPF programs.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [source, script] = ['../../../../agent/capture/ebpf/flows.bpf.c', '../../../../setup/ebpf.sh'].map(
  (path) => new URL(path, import.meta.url).pathname,
);

/** Compiles into an empty folder, and replaces the conntrack function by one that no kernel has. Returns both objects. */
export function compileForOldKernel(folder: string): { withConntrack: string; plain: string } {
  const ebpf = join(folder, 'agent/capture/ebpf');
  cpSync(script!, join(folder, 'setup/ebpf.sh'), { recursive: true });
  cpSync(source!, join(ebpf, 'flows.bpf.c'), { recursive: true });
  const text = readFileSync(source!, 'utf8').replaceAll('bpf_skb_ct_lookup', 'bpf_skb_ct_of_tomorrow');
  writeFileSync(join(ebpf, 'flows.bpf.c'), text);
  execFileSync('sh', [join(folder, 'setup/ebpf.sh')]);
  return { withConntrack: join(ebpf, 'flows-conntrack.bpf.o'), plain: join(ebpf, 'flows.bpf.o') };
}
