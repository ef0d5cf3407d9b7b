// A pod with NET_ADMIN gives itself the address of another pod: what is found inside a pod's namespace proves nothing.
import { podNamespace } from '../system/names.ts';
import { run } from '../system/run.ts';
import { type Attack, attackerPod } from './attack.ts';
import { missingFinding } from './expected-finding.ts';

const port = 5505;

export const borrowedAddress: Attack = {
  name: 'address of another pod, added to its own interface',
  does: 'adds the address of another pod to its interface, and connects from it with an ordinary socket',
  async run({ network, addressOf, nextPort, ownFindings }) {
    const victim = addressOf('shop/batch-0');
    const target = addressOf('shop/db-0');
    const namespace = podNamespace(network.id, attackerPod);
    const change = (verb: 'add' | 'del') => run('ip', ['-n', namespace, 'addr', verb, `${victim}/32`, 'dev', 'eth0']);
    const route = (verb: 'add' | 'del') =>
      run('ip', ['-n', namespace, 'route', verb, `${target}/32`, 'via', '169.254.1.1', 'dev', 'eth0', 'src', victim]);
    await change('add');
    await route('add');
    // Longer than the interval at which the agent reads the addresses of a pod.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await network
      .peerAt(attackerPod)
      .dial({ address: target, port, protocol: 'TCP', bytes: 1, timeoutMs: 500, sourcePort: nextPort() });
    await route('del');
    await change('del');
    return async () => {
      const wanted = { kind: 'spoofed', severity: 'critical', responder: 'shop/db', protocol: 'TCP', port };
      return [missingFinding({ ...wanted, mentions: victim }, await ownFindings())].filter((one) => one !== undefined);
    };
  },
};
