import { writeFileSync } from 'node:fs';
import t from 'tap';
import { readPassword } from '../../../../collector/store/series/password.ts';

t.test('the password is the trimmed content of the file', async (t) => {
  const file = `${t.testdir()}/password`;
  writeFileSync(file, ' pass word\n');
  t.equal(readPassword(file), 'pass word');
  t.equal(readPassword(''), '', 'no file, no password');
});

t.test('a missing file is reported in one line with the setting', async (t) => {
  t.throws(() => readPassword('/nowhere/password'), {
    message:
      /^series-password-unreadable: series\.passwordFile \/nowhere\/password: cannot be read \(ENOENT\); set the path of a file .*$/,
  });
});
