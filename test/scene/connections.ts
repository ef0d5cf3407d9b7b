// One-line builders for connections: shop/web on node n1 to shop/db on node n2, TCP 5432.
import type { Connection } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { TCP } from '../../model/protocol.ts';
import { db, second, t0, web } from './records.ts';

export function podEnd(name: string, change: Partial<Endpoint> = {}): Endpoint {
  const [namespace, workload] = name.split('/') as [string, string];
  return { kind: 'pod', namespace, workload, workloadKind: 'Deployment', pod: `${workload}-1`, ...change };
}

export function connection(change: Partial<Connection> = {}): Connection {
  return {
    id: 'c1',
    startUs: t0,
    endUs: t0 + second,
    ended: false,
    initiator: podEnd('shop/web', { ip: web, node: 'n1' }),
    responder: podEnd('shop/db', { ip: db, node: 'n2' }),
    translated: undefined,
    protocol: TCP,
    port: 5432,
    initiatorPort: 40000,
    initiatorInferred: false,
    midStream: false,
    placement: 'cross-node',
    outcome: 'established',
    delivered: { delivered: 'yes', by: 'seen' },
    packets: { forward: 5, reverse: 4 },
    bytes: { forward: 500, reverse: 4000 },
    rttUs: 180,
    synRetries: 0,
    observed: ['source', 'destination'],
    verdict: 'allowed',
    unknownReason: '',
    findingId: '',
    ...change,
  };
}
