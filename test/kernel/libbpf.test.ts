import { execFileSync } from 'node:child_process';
import t from 'tap';

const libbpf = /libbpf\.so\.1 .*=> (\S+)/.exec(execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }))?.[1];
const skip =
  (process.getuid?.() !== 0 && 'hiding a library needs root') || (libbpf === undefined && 'libbpf is not installed');

t.test(
  'without libbpf.so.1 the agent still loads, and calls of libbpf throw an error that says what to install',
  { skip },
  async (t) => {
    const url = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);
    const program = `
    await import(${url('agent/main.ts')});
    const { removeLeftoverFilters } = await import(${url('agent/capture/clsact.ts')});
    removeLeftoverFilters(1);
    const { silenceLibbpf } = await import(${url('kernel/libbpf.ts')});
    try { silenceLibbpf(); } catch (error) { console.log(error.message); }`;
    const hidden = `mount --bind /dev/null ${libbpf} && exec "$0" --input-type=module -e "$1"`;
    const output = execFileSync('unshare', ['-m', 'sh', '-c', hidden, process.execPath, program], { encoding: 'utf8' });
    t.equal(output, 'libbpf.so.1 is missing; install libbpf1\n');
  },
);
