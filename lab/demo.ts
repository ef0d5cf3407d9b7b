// `make demo`: a two-node lab, real traffic, and what Waybill says of it, as a user would see it.
import { spawn } from 'node:child_process';
import { ProblemError, problemLine } from '../model/problem.ts';
import { checkPrograms, elsewhere } from './privilege.ts';
import { type LabSession, playAll, type RunResult, withLab } from './session.ts';

const topology = new URL('topologies/demo/topology.yaml', import.meta.url).pathname;

async function demo(session: LabSession): Promise<RunResult> {
  const { nodes, pods } = session.network.world.cluster;
  say(`${nodes.length} nodes and ${pods.length} pods are up, with one agent a node and a collector.`);
  say('Sending traffic, and waiting until it is judged …');
  const result = await playAll(session);
  say('\n$ waybill findings -o wide');
  await show(session.waybill.clientCommand(['findings', '-o', 'wide']));
  say('\n$ waybill status');
  await show(session.waybill.clientCommand(['status']));
  say('');
  sayFine(result);
  return result;
}

/** What was declared and carried has no finding: as worth knowing as what has one. */
function sayFine({ traffic, connections }: RunResult): void {
  const fine = connections.filter((connection) => connection.finding === undefined);
  const names = fine.map(({ initiatorPort }) => traffic.find((one) => one.sourcePort === initiatorPort)?.name);
  say(`${connections.length} connections were judged; no finding for: ${names.join(', ')}.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a command of the command line, its output going where ours goes. */
function show([program, ...args]: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', () => resolve());
  });
}

async function main(): Promise<void> {
  checkPrograms();
  const code = await elsewhere();
  if (code !== undefined) {
    process.exitCode = code;
    return;
  }
  say('Waybill: is what crosses the network what was declared?');
  const { differences } = await withLab(topology, 'auto', demo);
  if (differences.length === 0) say('All is as lab/topologies/demo/topology.yaml says. Nothing is left running.');
  else {
    for (const difference of differences) process.stderr.write(`not as expected: ${difference}\n`);
    process.exitCode = 1;
  }
}

main().catch((error: unknown) => {
  const lines = error instanceof ProblemError ? error.problems.map(problemLine).join('\n') : String(error);
  process.stderr.write(`${lines}\n`);
  process.exitCode = 2;
});
