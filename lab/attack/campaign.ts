// Runs the attacks of one lab, one after the other, while honest traffic goes on. After each, Waybill must report what the
// attack expects, every honest connection as it was, and nothing false.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { ProblemError, problemLine } from '../../model/problem.ts';
import type { ClusterNetwork } from '../cluster/cluster-network.ts';
import { kernelCounter } from '../network/counters.ts';
import { RawPeer } from '../programs/raw-peer.ts';
import { balances, type WaybillPrograms } from '../programs/waybill.ts';
import { addressesOf, familyOf, parsePlace } from '../topology/places.ts';
import { type Attack, attackerPod, attackerWorkload, defaultReportMs, type Stage } from './attack.ts';
import { FalseFindings } from './false-findings.ts';
import { honestFlows, openFlow } from './honest-flows.ts';
import { type HonestConnection, HonestTraffic, honestFaults } from './honest-traffic.ts';

export type AttackResult = { name: string; seconds: number } & (
  | { result: 'passed' }
  | { result: 'failed'; faults: readonly string[] }
  | { result: 'skipped'; reason: string }
);

const attackerManifest = '../cluster/changes/evil.yaml';
/** Longer than the time after which a pod counts as known (10 s). */
const warmUpMs = 12_000;
/** A false finding may come later than an expected one. */
const minSettleMs = 3_000;
const pollMs = 700;
const maxAccountingMs = 45_000;
const maxFaults = 8;
const firstAttackPort = 40_000;
const maxItems = 10_000;

/** Calls `report` with each result as it is known. */
export async function runCampaign(
  lab: { network: ClusterNetwork; waybill: WaybillPrograms },
  attacks: readonly Attack[],
  source: string,
  report: (result: AttackResult) => void,
): Promise<void> {
  const { network, waybill } = lab;
  await network.createPod(attackerManifest, 300);
  await network.settled();
  const before = await settledCounts(lab);
  const run = new CampaignRun(await stageOf(lab), new FalseFindings(followCommand(waybill)));
  run.stage.honest.start(honestFlows, openFlow);
  try {
    report(await run.untilKnown('honest traffic without an attack', warmUpMs));
    for (const attack of attacks) {
      const reason = attack.skip?.(source);
      report(
        reason === undefined ? await run.attack(attack) : { name: attack.name, seconds: 0, result: 'skipped', reason },
      );
    }
    await run.stage.honest.stop();
    report(await run.accounting(before));
  } finally {
    await run.end();
  }
}

function followCommand(waybill: WaybillPrograms): string[] {
  return waybill.clientCommand(['findings', '--follow', '-o', 'jsonl']);
}

async function stageOf({ network, waybill }: { network: ClusterNetwork; waybill: WaybillPrograms }): Promise<Stage> {
  let port = firstAttackPort;
  return {
    network,
    waybill,
    honest: new HonestTraffic(network),
    attacker: await RawPeer.start(network.world, attackerPod),
    accomplice: await RawPeer.start(network.world, { kind: 'outside', name: 'attacker' }),
    addressOf: (text, family = 'ipv4') => {
      const place = parsePlace(text);
      const found = place && addressesOf(place, network.world)?.find((one) => familyOf(one) === family);
      if (found === undefined) throw new Error(`${text} has no ${family} address`);
      return found;
    },
    nextPort: () => {
      port += 1;
      return port;
    },
    ownFindings: async () =>
      (await waybill.ask(`/v1/findings?from-pod=${attackerWorkload}&last=${maxItems}`)) as FindingJson[],
    connections: async (query) => (await waybill.ask(`/v1/flows?${query}&last=${maxItems}`)) as ConnectionJson[],
  };
}

class CampaignRun {
  readonly stage: Stage;
  readonly #falseFindings: FalseFindings;
  /** Honest connections that were not yet reported as expected. */
  #unchecked = 0;
  readonly #pending = new Set<HonestConnection>();

  constructor(stage: Stage, falseFindings: FalseFindings) {
    this.stage = stage;
    this.#falseFindings = falseFindings;
  }

  async untilKnown(name: string, waitMs: number): Promise<AttackResult> {
    return this.attack({ name, does: '', run: () => sleep(waitMs).then(() => async () => []) });
  }

  async attack({ name, run, reportMs = defaultReportMs }: Attack): Promise<AttackResult> {
    const startMs = Date.now();
    const seconds = () => (Date.now() - startMs) / 1000;
    const seen = new Set<string>();
    let faults: readonly string[];
    try {
      const check = await run(this.stage);
      const endMs = Date.now();
      for (;;) {
        for (const fault of this.#falseFindings.take()) seen.add(fault);
        faults = await Promise.all([check(), this.#honestFaults(endMs)]).then((all) => all.flat(), faultOf);
        const isSettled = Date.now() - endMs >= minSettleMs && faults.length === 0;
        if (isSettled || Date.now() - endMs >= reportMs) break;
        await sleep(pollMs);
      }
    } catch (error) {
      faults = faultOf(error).map((fault) => `the attack itself failed: ${fault}`);
    }
    for (const fault of this.#falseFindings.take()) seen.add(fault);
    // The next attack shall not fail for these.
    this.#pending.clear();
    const all = [...seen, ...faults];
    if (all.length === 0) return { name, seconds: seconds(), result: 'passed' };
    const more = all.length > maxFaults ? [`and ${all.length - maxFaults} more`] : [];
    return { name, seconds: seconds(), result: 'failed', faults: [...all.slice(0, maxFaults), ...more] };
  }

  /** Every connection once more, and every packet that the kernels count. */
  accounting(before: ReadonlyMap<string, Counts>): Promise<AttackResult> {
    const { made } = this.stage.honest;
    const name = `honest traffic after all attacks: ${made.length} connections, and every packet`;
    for (const connection of made) this.#pending.add(connection);
    const lab = this.stage;
    return this.attack({
      name,
      does: '',
      reportMs: maxAccountingMs,
      run: async () => async () => accountingFaults(before, await countsOf(lab)),
    });
  }

  async end(): Promise<void> {
    this.#falseFindings.end();
    await Promise.all([this.stage.attacker.kill(), this.stage.accomplice.kill()]);
  }

  /** Of the connections that ended before `endMs`. */
  async #honestFaults(endMs: number): Promise<string[]> {
    const { made } = this.stage.honest;
    for (; this.#unchecked < made.length && made[this.#unchecked]!.startedMs < endMs; this.#unchecked++) {
      this.#pending.add(made[this.#unchecked]!);
    }
    const due = [...this.#pending];
    if (due.length === 0) return [];
    const pods = [...new Set(due.map(({ flow }) => `from-pod=${flow.from.namespace}/${flow.from.name}`))];
    const sinceMs = Math.min(...due.map(({ startedMs }) => startedMs)) - 1_000;
    const query = [...pods, `since=${new Date(sinceMs).toISOString()}`].join('&');
    const [connections, findings] = await Promise.all([
      this.stage.connections(query),
      this.stage.waybill.ask(`/v1/findings?from-pod=shop/probe&last=100`) as Promise<FindingJson[]>,
    ]);
    const faults = due.flatMap((connection) => {
      const own = honestFaults([connection], connections, findings);
      if (own.length === 0) this.#pending.delete(connection);
      return own;
    });
    return faults;
  }
}

function faultOf(error: unknown): string[] {
  return error instanceof ProblemError ? error.problems.map(problemLine) : [String(error)];
}

/** Packets of a node: what its kernel counts at the pods’ interfaces, and what its agent reports. */
type Counts = { kernel: number; seen: number; isBalanced: boolean };

/** Resolves when two readings are the same: no packet is in transit. */
async function settledCounts(lab: Pick<Stage, 'network' | 'waybill'>): Promise<Map<string, Counts>> {
  const deadline = Date.now() + maxAccountingMs;
  let before = '';
  for (;;) {
    const counts = await countsOf(lab);
    const now = JSON.stringify([...counts]);
    if ((now === before && [...counts.values()].every((one) => one.isBalanced)) || Date.now() > deadline) return counts;
    before = now;
    // Longer than the agents' reporting interval.
    await sleep(1_500);
  }
}

async function countsOf({ network, waybill }: Pick<Stage, 'network' | 'waybill'>): Promise<Map<string, Counts>> {
  const reported = await waybill.accounting();
  const counts = new Map<string, Counts>();
  for (const { name } of network.world.cluster.nodes) {
    const accounting = reported.get(name);
    if (accounting === undefined || !network.world.cluster.pods.some((pod) => pod.node === name)) continue;
    const kernel = await kernelCounter(network.world, name, 'packets');
    counts.set(name, { kernel, seen: accounting.seen, isBalanced: balances(accounting) });
  }
  return counts;
}

function accountingFaults(before: ReadonlyMap<string, Counts>, after: ReadonlyMap<string, Counts>): string[] {
  return [...before].flatMap(([node, begin]) => {
    const end = after.get(node);
    if (end === undefined) return [`${node} reports no packet accounting`];
    const [kernel, seen] = [end.kernel - begin.kernel, end.seen - begin.seen];
    return [
      ...(kernel === seen ? [] : [`${node}: the kernel counts ${kernel} packets, the agent ${seen}`]),
      ...(end.isBalanced ? [] : [`${node}: not every packet is stored, ignored or lost`]),
    ];
  });
}
