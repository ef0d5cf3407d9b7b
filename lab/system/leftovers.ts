// Finds and removes what a crashed lab left: namespaces with the lab's prefix, and a folder that names the process that
// owns the lab. Touches nothing else.
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabId, namespacePattern } from './names.ts';
import { run } from './run.ts';

const folderPrefix = 'waybill-lab-';

export function labFolder(id: LabId): string {
  return join(tmpdir(), `${folderPrefix}${id}`);
}

/** Records this process as the owner of the lab. Returns the lab's folder. */
export async function claim(id: LabId): Promise<string> {
  const folder = labFolder(id);
  // Renamed into place: another process that looks for leftovers never finds a folder without its owner.
  const unclaimed = await mkdtemp(join(tmpdir(), 'waybill-unclaimed-'));
  await writeFile(join(unclaimed, 'holder'), `${process.pid} ${startOf(await processStat(process.pid))}\n`);
  await rename(unclaimed, folder);
  return folder;
}

/** Labs of this user whose owner is running. */
export async function liveLabs(): Promise<{ id: LabId; pid: number }[]> {
  return (await labs()).flatMap(({ id, owner }) => (typeof owner === 'number' ? [{ id, pid: owner }] : []));
}

/** The process id. `gone`: it crashed. `another-user`: it is not ours, running or not. */
type Owner = number | 'gone' | 'another-user';

async function labs(): Promise<{ id: LabId; owner: Owner }[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(folderPrefix));
  return Promise.all(
    names.map(async (name) => ({
      id: name.slice(folderPrefix.length),
      owner: await ownerOf(join(tmpdir(), name)),
    })),
  );
}

/** Removes labs whose owner is gone; returns their ids. */
export async function removeLeftovers(): Promise<LabId[]> {
  const left = new Set<LabId>();
  for (const name of await namespaces()) {
    const id = namespacePattern.exec(name)?.[1];
    if (id !== undefined) left.add(id);
  }
  // Read last: a lab that comes up meanwhile has its owner recorded before it has any namespace.
  for (const { id, owner } of await labs()) {
    if (owner === 'gone') left.add(id);
    else left.delete(id);
  }
  for (const id of left) await removeLab(id);
  return [...left];
}

/** Kills every process in the lab's namespaces, then deletes the namespaces, then the folder. */
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
    // It has already ended.
  }
}

async function ownerOf(folder: string): Promise<Owner> {
  const recorded = await readFile(join(folder, 'holder'), 'utf8').catch((error: NodeJS.ErrnoException) => error);
  if (typeof recorded !== 'string') return recorded.code === 'EACCES' ? 'another-user' : 'gone';
  const [pid, start] = recorded.trim().split(' ');
  if (pid === undefined || pid === '') return 'gone';
  // The kernel reuses process ids: the same start time means the same process.
  return startOf(await processStat(Number(pid))) === start ? Number(pid) : 'gone';
}

async function processStat(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
}

/** Start time in clock ticks since boot: field 22 of proc(5), counted after the name in parentheses. */
function startOf(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
