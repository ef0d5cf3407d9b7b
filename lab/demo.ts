// `make demo`: a two-node lab, real traffic, and Waybill's findings as a user sees them.
import { spawn } from 'node:child_process';
import { ProblemError, problemLine } from '../model/problem.ts';
import { type LabSession, playAll, type RunResult, withLab } from './session.ts';
import { checkPrograms, rerunAsRoot } from './system/privilege.ts';

const topology = new URL('topologies/demo/topology.yaml', import.meta.url).pathname;

async function demo(session: LabSession): Promise<RunResult> {
  const { nodes, pods } = session.network.world.cluster;
  say(`${nodes.length} nodes and ${pods.length} pods are up, with one agent per node and a collector.`);
  say('Sending traffic, and waiting until it is evaluated …');
  const result = await playAll(session);
  say('\n$ waybill findings -o wide');
  await show(session.waybill.clientCommand(['findings', '-o', 'wide']));
  say('\n$ waybill status');
  await show(session.waybill.clientCommand(['status']));
  say('');
  sayWithoutFinding(result);
  return result;
}

/** Connections that are declared and delivered have no finding: shown, because that is also a result. */
function sayWithoutFinding({ traffic, connections }: RunResult): void {
  const withoutFinding = connections.filter((connection) => connection.finding === undefined);
  const names = withoutFinding.map(
    ({ initiatorPort }) => traffic.find((one) => one.sourcePort === initiatorPort)?.name,
  );
  say(`${connections.length} connections evaluated; no finding for: ${names.join(', ')}.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a command and shows its output. */
function show([program, ...args]: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', () => resolve());
  });
}

async function main(): Promise<void> {
  checkPrograms();
  const code = await rerunAsRoot();
  if (code !== undefined) {
    process.exitCode = code;
    return;
  }
  say('Waybill: does the network traffic match the declared policies?');
  const { differences } = await withLab(topology, 'auto', demo);
  if (differences.length === 0)
    say('The result is as lab/topologies/demo/topology.yaml expects. Nothing is left running.');
  else {
    for (const difference of differences) process.stderr.write(`unexpected: ${difference}\n`);
    process.exitCode = 1;
  }
}

main().catch((error: unknown) => {
  const lines = error instanceof ProblemError ? error.problems.map(problemLine).join('\n') : String(error);
  process.stderr.write(`${lines}\n`);
  process.exitCode = 2;
});
