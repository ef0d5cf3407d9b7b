// How the lab's command ends where it cannot begin: scripts go by its exit code.
import { spawnSync } from 'node:child_process';
import t from 'tap';

const lab = new URL('../../lab/lab.ts', import.meta.url).pathname;

function ended(...words: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [lab, ...words], { encoding: 'utf8' });
}

t.test('what cannot be done is one line and exit code 2, whichever half was asked for', async (t) => {
  for (const words of [
    ['run', 'nowhere.yaml'],
    ['up', 'nowhere.yaml'],
  ]) {
    const { status, stderr } = ended(...words);
    t.equal(status, 2, words.join(' '));
    t.match(stderr, /^lab-topology-unreadable: nowhere\.yaml: .*\n$/);
  }
  t.equal(ended('bogus').status, 2);
  t.equal(ended('run').status, 2);
  t.equal(ended('--help').status, 0);
});
