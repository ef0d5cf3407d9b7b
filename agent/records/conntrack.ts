// Feeds Translations from the kernel: the table once, then its events, by the `conntrack` program (conntrack-tools),
// which speaks ctnetlink. Needs CAP_NET_ADMIN.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { parseConntrackLine, type Translations } from './translations.ts';

/** What is running: `kill` ends it, `ended` resolves with why it ended. */
export type LineSource = { lines: AsyncIterable<string>; ended: Promise<string>; kill(): void };
export type StartLineSource = (args: readonly string[]) => LineSource;

const families = ['ipv4', 'ipv6'];
/** The rest is none of our business, and on most nodes it is the most. */
const onlyTranslatedFlag = '--any-nat';
const restartAfterMs = [1_000, 5_000, 30_000];

/**
 * Runs until `signal`; restarts the program when it ends (the kernel drops events when the reader is slow: the table is
 * read again then, so that only connections that came and went meanwhile stay untranslated).
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
    const why = await events.ended;
    signal.removeEventListener('abort', stop);
    if (signal.aborted) return;
    if (learned > 0) attempt = 0;
    log.warn(
      { why },
      "conntrack ended: what no program asked it for is joined by the Service's endpoints until it is back",
    );
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
