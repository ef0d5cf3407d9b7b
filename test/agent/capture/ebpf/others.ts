// Runs in a network namespace of its own. Commands change the filters at a pod's interface while our program watches it.
// Prints as JSON what our program saw before and after it noticed each change.
//   node others.ts HOOK COMMAND...
import { exchange, makePair, passed, shell, Watching } from './node-link.ts';

export type Seen = { summary: string; fromPod: boolean; toPod: boolean; missing: number };
export type Others = {
  before: Seen;
  /**
   * For each command. `unproven`: records of packets sent before the change was noticed prove no delivery. `gapReported`: the
   * source reported a gap. `noticed`: what it sees afterwards.
   */
  changes: { unproven: boolean; gapReported: boolean; noticed: Seen }[];
  filtersLeft: number;
};

const exchanges = 20;
const [hook, ...commands] = process.argv.slice(2) as ['tcx' | 'clsact', ...string[]];
const links = makePair();
const watching = new Watching('ebpf', hook);
const { source, records } = watching;
source.watch({ index: links.host, name: 'host', appearedUs: 0 });
let port = 1000;

/** Sends packets, and returns what our program sees of them. */
async function seen(): Promise<Seen> {
  const before = { passed: passed(), seen: watching.seen };
  for (let i = 0; i < exchanges; i++) exchange(links, port++);
  await watching.settle();
  const { fromPod, toPod } = source.visibility(links.host);
  const missing = passed() - before.passed - (watching.seen - before.seen);
  return { summary: source.attachmentSummary, fromPod, toPod, missing };
}

const before = await seen();
const changes: Others['changes'] = [];
for (const command of commands) {
  const { gapFreeSinceUs } = source.visibility(links.host);
  shell(command);
  const first = port;
  for (let i = 0; i < exchanges; i++) exchange(links, port++);
  await watching.settle();
  const ofThem = records.filter(({ initiatorPort }) => initiatorPort >= first);
  const unproven = ofThem.length > 0 && ofThem.every((record) => record.deliveryUnproven);
  const gapReported = source.visibility(links.host).gapFreeSinceUs > gapFreeSinceUs;
  changes.push({ unproven, gapReported, noticed: await seen() });
}
await source.close(() => undefined);
const filtersLeft = shell('tc filter show dev host ingress; tc filter show dev host egress').match(/0x5742/g)?.length;
const result: Others = { before, changes, filtersLeft: filtersLeft ?? 0 };
process.stdout.write(JSON.stringify(result));
process.exit(0);
