// What a lab leaves on the machine: namespaces with the lab's prefix, and a folder with the process that holds it. What
// a crash left is found by these, and nothing else is touched.
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabId, namespacePattern } from './network/names.ts';
import { run } from './run.ts';

const folderPrefix = 'waybill-lab-';

export function labFolder(id: LabId): string {
  return join(tmpdir(), `${folderPrefix}${id}`);
}

/** This process holds the lab from now on. */
export async function claim(id: LabId): Promise<string> {
  const folder = labFolder(id);
  // Whole or not at all: who looks for leftovers meanwhile finds no folder without its holder.
  const unclaimed = await mkdtemp(join(tmpdir(), 'waybill-unclaimed-'));
  await writeFile(join(unclaimed, 'holder'), `${process.pid} ${startOf(await processStat(process.pid))}\n`);
  await rename(unclaimed, folder);
  return folder;
}

/** Labs of this user whose holder lives. */
export async function liveLabs(): Promise<{ id: LabId; pid: number }[]> {
  return (await labs()).flatMap(({ id, holder }) => (typeof holder === 'number' ? [{ id, pid: holder }] : []));
}

/** `gone`: it crashed. `another-user`: none of ours, whether it lives or not. */
type Holder = number | 'gone' | 'another-user';

async function labs(): Promise<{ id: LabId; holder: Holder }[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(folderPrefix));
  return Promise.all(
    names.map(async (name) => ({
      id: name.slice(folderPrefix.length),
      holder: await holderOf(join(tmpdir(), name)),
    })),
  );
}

/** Ends what is left of labs whose holder is gone; returns their ids. */
export async function removeLeftovers(): Promise<LabId[]> {
  const left = new Set<LabId>();
  for (const name of await namespaces()) {
    const id = namespacePattern.exec(name)?.[1];
    if (id !== undefined) left.add(id);
  }
  // Asked last: a lab that is brought up meanwhile was claimed before it had anything.
  for (const { id, holder } of await labs()) {
    if (holder === 'gone') left.add(id);
    else left.delete(id);
  }
  for (const id of left) await removeLab(id);
  return [...left];
}

/** Ends every process in the lab's namespaces, then the namespaces, then its folder. */
export async function removeLab(id: LabId): Promise<void> {
  const own = (await namespaces()).filter((name) => namespacePattern.exec(name)?.[1] === id);
  for (const name of own) {
    for (const pid of (await run('ip', ['netns', 'pids', name])).split('\n')) {
      if (pid.trim() !== '') endProcess(Number(pid));
    }
  }
  if (own.length > 0) await run('ip', ['-batch', '-'], own.map((name) => `netns delete ${name}`).join('\n'));
  await rm(labFolder(id), { recursive: true, force: true });
}

async function namespaces(): Promise<string[]> {
  return existsSync('/run/netns') ? readdir('/run/netns') : [];
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function holderOf(folder: string): Promise<Holder> {
  const told = await readFile(join(folder, 'holder'), 'utf8').catch((error: NodeJS.ErrnoException) => error);
  if (typeof told !== 'string') return told.code === 'EACCES' ? 'another-user' : 'gone';
  const [pid, start] = told.trim().split(' ');
  if (pid === undefined || pid === '') return 'gone';
  // A process id is used again: the start time tells whether it is still the same process.
  return startOf(await processStat(Number(pid))) === start ? Number(pid) : 'gone';
}

async function processStat(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
}

/** Start time in clock ticks since boot: field 22 of proc(5), counted behind the name in parentheses. */
function startOf(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
