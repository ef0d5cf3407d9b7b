// What a lab leaves on the machine: namespaces with the lab's prefix, and a folder with the process that holds it. What
// a crash left is found by these, and nothing else is touched.
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'holder'), `${process.pid} ${startOf(await processStat(process.pid))}\n`);
  return folder;
}

/** Ids of labs whose holder lives. */
export async function liveLabs(): Promise<{ id: LabId; pid: number }[]> {
  const live: { id: LabId; pid: number }[] = [];
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(folderPrefix)) continue;
    const pid = await holderOf(join(tmpdir(), name));
    if (pid !== undefined) live.push({ id: name.slice(folderPrefix.length), pid });
  }
  return live;
}

/** Ends what is left of labs whose holder is gone; returns their ids. */
export async function removeLeftovers(): Promise<LabId[]> {
  const live = new Set((await liveLabs()).map((lab) => lab.id));
  const left = new Set<LabId>();
  for (const name of await namespaces()) {
    const id = namespacePattern.exec(name)?.[1];
    if (id !== undefined && !live.has(id)) left.add(id);
  }
  for (const name of await readdir(tmpdir())) {
    const id = name.slice(folderPrefix.length);
    if (name.startsWith(folderPrefix) && !live.has(id)) left.add(id);
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

async function holderOf(folder: string): Promise<number | undefined> {
  const [pid, start] = (await readFile(join(folder, 'holder'), 'utf8').catch(() => '')).trim().split(' ');
  if (pid === undefined || pid === '') return undefined;
  // A process id is used again: the start time tells whether it is still the same process.
  return startOf(await processStat(Number(pid))) === start ? Number(pid) : undefined;
}

async function processStat(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
}

/** Start time in clock ticks since boot: field 22 of proc(5), counted behind the name in parentheses. */
function startOf(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
