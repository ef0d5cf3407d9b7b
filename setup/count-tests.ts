// Reads TAP from stdin, shows failures, and ends with `N passed, N failed, N skipped`.
import { createInterface } from 'node:readline';

const counts = { passed: 0, failed: 0, skipped: 0 };
/** How many lines of the current failure to show; the limit keeps one bad test from filling the screen. */
let linesToShow = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const testPoint = /^\s*(not )?ok \d+(?: - (.*))?$/.exec(line);
  if (testPoint === null) {
    if (linesToShow-- > 0) process.stdout.write(`${line}\n`);
    if (/^\s*(Bail out!|# timeout)/.test(line)) process.stdout.write(`${line}\n`);
    continue;
  }
  const [, notOk, name = ''] = testPoint;
  // The line of a subtest repeats its test points.
  if (/ # time=/.test(name) && notOk === undefined) {
    if (/^\S/.test(line)) process.stdout.write(`${name}\n`);
    continue;
  }
  if (/# (SKIP|TODO)/i.test(name)) {
    counts.skipped += 1;
    process.stdout.write(`skipped: ${name}\n`);
  } else if (notOk === undefined) counts.passed += 1;
  else {
    if (!/ # time=/.test(name)) counts.failed += 1;
    process.stdout.write(`${line}\n`);
    linesToShow = 25;
  }
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1;
