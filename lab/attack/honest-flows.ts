// The honest traffic of the attacked cluster, and what Waybill must report about each of its connections.
import { parsePlace } from '../topology/places.ts';
import type { Expected, HonestFlow } from './honest-traffic.ts';

const delivered: Expected = { outcome: ['established'], verdict: 'allowed', delivered: ['yes'], finding: 'none' };
const unanswered: Expected = { ...delivered, outcome: ['unanswered'] };
/** The network drops it, as the policy says. */
export const blocked: Expected = {
  outcome: ['unanswered'],
  verdict: 'denied',
  delivered: ['no'],
  finding: 'blocked',
};

export const honestFlows: readonly HonestFlow[] = [
  flow('web to the database', 'shop/web-0', 'shop/db-0', 5432, { everyMs: 500 }),
  flow('web to the database, by its Service', 'shop/web-0', 'service shop/db', 5432),
  flow('web to the cache, on one node', 'shop/web-0', 'shop/cache-0', 6379),
  flow('web to the cart', 'shop/web-0', 'shop/cart-0', 8080),
  flow('syslog to the attacked node', 'shop/cart-0', 'shop/log-0', 514, { protocol: 'UDP', expected: unanswered }),
  flow('statsd from the attacked node', 'shop/batch-0', 'shop/stats-0', 8125, {
    protocol: 'UDP',
    expected: unanswered,
  }),
  flow('a probe that is blocked', 'shop/probe-0', 'shop/vault-0', 8200, { everyMs: 2_000, expected: blocked }),
  flow('a query to the cluster’s name server', 'shop/app-0', 'service kube-system/kube-dns', 53, {
    protocol: 'UDP',
    asks: 'api.partner.example',
  }),
  flow('app to the partner, by name', 'shop/app-0', 'outside partner', 443, { everyMs: 2_000 }),
];

/** It stays open and sends all the time. */
export const openFlow = flow('an open connection', 'shop/web-0', 'shop/db-0', 5432, { everyMs: 300 });

function flow(
  name: string,
  from: string,
  to: string,
  port: number,
  { protocol = 'TCP', everyMs = 1_000, expected = delivered, asks }: Partial<HonestFlow> = {},
): HonestFlow {
  return {
    name,
    from: parsePlace(from) as HonestFlow['from'],
    to: parsePlace(to)!,
    port,
    protocol,
    everyMs,
    expected,
    ...(asks === undefined ? {} : { asks }),
  };
}
