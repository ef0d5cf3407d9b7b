// Connections that send nothing, more than a server wants to have at a time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { nodeNamespace } from '../system/names.ts';
import type { Attack } from './attack.ts';

const program = new URL('../programs/idle-sockets-program.ts', import.meta.url).pathname;
const count = 500;
const maxAnswerMs = 5_000;
/** The time that the collector may take to close idle connections. */
const maxLockedMs = 15_000;

export const bareConnections: Attack = {
  name: 'bare connections to the API',
  does: `opens ${count} TCP connections to the API without a TLS handshake, and keeps them open`,
  async run({ network, waybill }) {
    const { host, port } = waybill.api;
    const namespace = `--net=/run/netns/${nodeNamespace(network.id, 'node-c')}`;
    const args = [namespace, process.execPath, program, host, String(port), String(count)];
    const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const [opened] = (await once(child.stdout, 'data')) as [Buffer];
    const faults: string[] = [];
    const started = Date.now();
    for (;;) {
      const asked = Date.now();
      const fault = await Promise.race([
        waybill.ask('/v1/status').then(() => '', String),
        new Promise<string>((resolve) => setTimeout(resolve, maxAnswerMs, `no answer in ${maxAnswerMs / 1000} s`)),
      ]);
      if (fault === '' && Date.now() - asked <= maxAnswerMs) break;
      if (Date.now() - started > maxLockedMs) {
        faults.push(`expected an answer beside ${String(opened).trim()} bare connections; seen ${fault}`);
        break;
      }
    }
    child.stdin.end();
    return async () => faults;
  },
};
