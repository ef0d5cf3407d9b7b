// The exit code of the lab's command if it cannot start: scripts depend on it.
import { spawnSync } from 'node:child_process';
import t from 'tap';

const lab = new URL('../../lab/lab.ts', import.meta.url).pathname;

function runLab(...words: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [lab, ...words], { encoding: 'utf8' });
}

t.test(
  'run and up print one line and exit with 2 for a topology that cannot be read; so does an unknown command',
  async (t) => {
    for (const words of [
      ['run', 'nowhere.yaml'],
      ['up', 'nowhere.yaml'],
    ]) {
      const { status, stderr } = runLab(...words);
      t.equal(status, 2, words.join(' '));
      t.match(stderr, /^lab-topology-unreadable: nowhere\.yaml: .*\n$/);
    }
    t.equal(runLab('bogus').status, 2);
    t.equal(runLab('run').status, 2);
    t.equal(runLab('--help').status, 0);
  },
);
