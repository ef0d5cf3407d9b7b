// A drop by a TCX program on a pod's interface. A process in the pod's node keeps it attached.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ProblemError } from '../../model/problem.ts';
import { linkIn } from '../network/links.ts';
import type { LabWorld } from '../network/node.ts';
import { addressWords, compile } from '../system/bpf/compile.ts';
import { stepFailed } from '../system/errors.ts';
import { nodeNamespace, podLink } from '../system/names.ts';
import type { Enforcement } from '../topology/enforcement.ts';
import { addressesOf, placeText } from '../topology/places.ts';

const tcxProgram = new URL('tcx-program.ts', import.meta.url).pathname;
const protocolNumbers = { TCP: 6, UDP: 17, ICMP: 1 } as const;

export type TcxDrop = {
  /** Resolves when the program is detached. */
  end(): Promise<void>;
};

/** Resolves when the program is attached. `rule` is one of `destination-tcx`. */
export async function startDrop(world: LabWorld, rule: Enforcement, folder: string): Promise<TcxDrop> {
  const { from, to, protocol, port, order } = rule;
  const pod = world.cluster.pods.find(
    (one) => to.kind === 'pod' && one.namespace === to.namespace && one.name === to.name,
  );
  if (pod === undefined)
    throw new ProblemError(stepFailed(placeText(to), 'this pod does not exist now', 'name a pod that exists'));
  const { ipv4, ipv6 } = addressWords(addressesOf(from, world) ?? []);
  const initiatorDefines: Record<string, string | number> =
    from.kind === 'any' ? { FROM_ANY: 1 } : { FROM4: ipv4, FROM6: ipv6 };
  const defines = { PROTOCOL: protocolNumbers[protocol!], PORT: port, ...initiatorDefines };
  const object = await compile('drop', defines, folder, String(order));
  const node = nodeNamespace(world.id, pod.node);
  const { index } = await linkIn(node, podLink(pod));
  return attach(node, [object, 'drop', String(index)]);
}

function attach(namespace: string, args: readonly string[]): Promise<TcxDrop> {
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, tcxProgram, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let errorText = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errorText = (errorText + chunk.toString()).slice(-500);
  });
  child.stdin.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const end = () => {
    child.stdin.end();
    return closed;
  };
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => resolve({ end }));
    closed.then(() => {
      const fault = errorText.trim() || 'its program exited';
      reject(new ProblemError(stepFailed('destination-tcx', fault, 'use Linux 6.6 or later, which has TCX')));
    });
  });
}
