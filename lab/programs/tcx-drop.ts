// A drop by a TCX program on a pod's interface, held by a process of the pod's node.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ProblemError } from '../../model/problem.ts';
import { addressWords, compile } from '../bpf/compile.ts';
import type { Enforcement } from '../enforcement.ts';
import { stepFailed } from '../errors.ts';
import { linkIn } from '../network/links.ts';
import { nodeNamespace, podLink } from '../network/names.ts';
import type { LabWorld } from '../network/node.ts';
import { addressesOf, placeText } from '../places.ts';

const holder = new URL('tcx.ts', import.meta.url).pathname;
const protocolNumbers = { TCP: 6, UDP: 17, ICMP: 1 } as const;

export type TcxProgram = {
  /** Resolves when it is detached. */
  end(): Promise<void>;
};

/** Resolves when it is attached. `rule` is one of `destination-tcx`. */
export async function startDrop(world: LabWorld, rule: Enforcement, folder: string): Promise<TcxProgram> {
  const { from, to, protocol, port, order } = rule;
  const pod = world.cluster.pods.find(
    (one) => to.kind === 'pod' && one.namespace === to.namespace && one.name === to.name,
  );
  if (pod === undefined) throw new ProblemError(stepFailed(placeText(to), 'it is not there now', 'name what is there'));
  const { ipv4, ipv6 } = addressWords(addressesOf(from, world) ?? []);
  const who: Record<string, string | number> = from.kind === 'any' ? { FROM_ANY: 1 } : { FROM4: ipv4, FROM6: ipv6 };
  const defines = { PROTOCOL: protocolNumbers[protocol!], PORT: port, ...who };
  const object = await compile('drop', defines, folder, String(order));
  const node = nodeNamespace(world.id, pod.node);
  const { index } = await linkIn(node, podLink(pod));
  return hold(node, [holder, object, 'drop', String(index)]);
}

function hold(namespace: string, words: readonly string[]): Promise<TcxProgram> {
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-500);
  });
  child.stdin.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const end = () => {
    child.stdin.end();
    return gone;
  };
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => resolve({ end }));
    gone.then(() => {
      const said = complaint.trim() || 'its program ended';
      reject(new ProblemError(stepFailed('destination-tcx', said, 'it needs TCX: Linux 6.6 or later')));
    });
  });
}
