// Feeds Translations from the kernel with the `conntrack` program (conntrack-tools): the table once, and all events.
// Needs CAP_NET_ADMIN.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { parseConntrackLine, type Translations } from './translations.ts';

/** A running program: `kill` ends it, `ended` resolves with the reason for its end. */
export type LineSource = { lines: AsyncIterable<string>; ended: Promise<string>; kill(): void };
export type StartLineSource = (args: readonly string[]) => LineSource;

const families = ['ipv4', 'ipv6'];
/** Most entries on most nodes have no translation and are not needed. */
const onlyTranslatedFlag = '--any-nat';
const restartAfterMs = [1_000, 5_000, 30_000];

/**
 * Runs until `signal`; restarts the program when it exits, for example because the kernel dropped events. Each start
 * reads the table again, so only connections that began and ended in between stay without translation.
 */
export async function followConntrack(
  into: Translations,
  signal: AbortSignal,
  log: Logger,
  start: StartLineSource = startConntrack,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const events = start(['-E', '-e', 'NEW', onlyTranslatedFlag, '-b', '8388608']);
    const stop = () => events.kill();
    signal.addEventListener('abort', stop);
    const eventsRead = learnFrom(events, into);
    for (const family of families) await learnFrom(start(['-L', onlyTranslatedFlag, '-f', family]), into);
    const learned = await eventsRead;
    const reason = await events.ended;
    signal.removeEventListener('abort', stop);
    if (signal.aborted) return;
    if (learned > 0) attempt = 0;
    log.warn({ reason }, 'conntrack exited; resolving Service backends by endpoints until it is back');
    await pause(restartAfterMs[Math.min(attempt, restartAfterMs.length - 1)]!, signal);
  }
}

async function learnFrom(source: LineSource, into: Translations): Promise<number> {
  let learned = 0;
  for await (const line of source.lines) {
    const entry = parseConntrackLine(line);
    if (entry === undefined) continue;
    into.learn(entry.protocol, entry.translation);
    learned += 1;
  }
  return learned;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

function startConntrack(args: readonly string[]): LineSource {
  const child = spawn('conntrack', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderrText = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderrText = (stderrText + chunk.toString()).slice(-500);
  });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(stderrText.trim().split('\n').at(-1) || `exit code ${code}`));
  });
  return { lines: createInterface({ input: child.stdout }), ended, kill: () => child.kill() };
}
