import t from 'tap';
import { labelDifferences } from '../../lab/traffic/labels.ts';
import type { Played } from '../../lab/traffic/play.ts';
import type { ConnectionJson } from '../../model/json.ts';

const node = '172.20.0.11';
const pod = { initiator: undefined, responder: 'vault-0' };
const label = { connections: 1, delivered: [] } as unknown as Played['label'];

function played(name: string, from: string, to: string, sourcePort: number): Played {
  const outcome = 'established';
  return {
    name,
    from: [from],
    to,
    pods: pod,
    port: 80,
    sourcePort,
    protocol: 'TCP',
    outcome,
    expected: outcome,
    label,
  };
}

function seen(id: string, initiatorPort: number): ConnectionJson {
  const initiator = { kind: 'node', ip: node, names: [] };
  const responder = { kind: 'pod', pod: 'vault-0', ip: '10.244.2.12', names: [] };
  const outcome = { protocol: 'TCP', outcome: 'established', start: id };
  return { id, initiator, responder, initiatorPort, ...outcome } as unknown as ConnectionJson;
}

t.test(
  'a step through a node port matches the connection that no other step made, whichever ended first',
  async (t) => {
    const traffic = [
      played('by a node port', '198.51.100.1', node, 20_001),
      played('a node', node, '10.244.2.12', 20_002),
    ];
    const connections = [seen('of the node', 20_002), seen('by the node port', 61_000)];
    t.same(labelDifferences({ traffic, inert: [], connections, findings: [] }), []);
  },
);
