import { writeFileSync } from 'node:fs';
import t from 'tap';
import { readPassword } from '../../../../collector/store/series/password.ts';

t.test('the password is what the file holds, less the white space around it', async (t) => {
  const file = `${t.testdir()}/password`;
  writeFileSync(file, ' pass word\n');
  t.equal(readPassword(file), 'pass word');
  t.equal(readPassword(''), '', 'no file, no password');
});

t.test('a file that is not there is one line that names the setting', async (t) => {
  t.throws(() => readPassword('/nowhere/password'), {
    message:
      /^series-password-unreadable: series\.passwordFile \/nowhere\/password: cannot be read \(ENOENT\); give .*$/,
  });
});
