// Findings in one line each: shop/web to shop/db, TCP 5432, denied and delivered.
import type { Finding } from '../../model/finding.ts';
import { podEnd } from './connections.ts';
import { db, second, t0, web } from './records.ts';

export function finding(change: Partial<Finding> = {}): Finding {
  return {
    id: 'f1',
    kind: 'bypass',
    severity: 'critical',
    initiator: podEnd('shop/web', { ip: web, node: 'n1' }),
    responder: podEnd('shop/db', { ip: db, node: 'n2' }),
    protocol: 6,
    port: 5432,
    connection: {
      id: 'c1',
      placement: 'cross-node',
      verdict: 'denied',
      outcome: 'established',
      delivered: { delivered: 'yes', by: 'seen' },
    },
    connections: 1,
    firstSeenUs: t0,
    lastSeenUs: t0 + second,
    explanation: 'shop/web -> shop/db TCP 5432 is denied by policy, and the network delivered it.',
    sides: [{ side: 'ingress', verdict: 'denied', isolatedBy: ['NetworkPolicy shop/db'], why: 'no rule matches' }],
    evidence: { lastSeen: 'destination' },
    ...change,
  };
}
