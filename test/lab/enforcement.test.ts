// The schema of an `enforce` step, and the TC filters that it becomes.
import t from 'tap';
import { addFilters, removeFilters, tcFilters } from '../../lab/network/enforcement.ts';
import type { Enforcement } from '../../lab/topology/enforcement.ts';
import { parsePlace } from '../../lab/topology/places.ts';
import { allSteps, trafficSchema } from '../../lab/topology/step.ts';
import { parseAddress } from '../../model/address.ts';

const rule = { as: 'x', from: 'any', to: 'shop/db-0', protocol: 'TCP', port: 80, where: 'destination-tc' };

function faults(change: object): string[] {
  const parsed = trafficSchema.safeParse([{ enforce: { ...rule, ...change } }]);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`);
}

t.test('an enforce step accepts every enforcement point', async (t) => {
  for (const where of ['source-forward', 'destination-forward', 'destination-tc', 'destination-tcx']) {
    t.same(faults({ where }), [], where);
  }
  t.same(faults({ where: 'source-tc', from: 'shop/web-0' }), []);
  const [step] = allSteps(trafficSchema.parse([{ parallel: [{ enforce: rule }, { lift: 'x' }] }]));
  t.match(step, { do: 'enforce', handle: 'x', rule: { port: 80, where: 'destination-tc', action: 'drop' } });
});

t.test('an invalid enforce step is reported with its field', async (t) => {
  t.same(faults({ protocol: undefined }), ['protocol: a port needs a protocol, TCP or UDP']);
  t.same(faults({ to: 'any' }), ['to: destination-tc needs a pod here']);
  t.same(faults({ where: 'source-tc' }), ['from: source-tc needs a pod here']);
  t.same(faults({ where: 'destination-tcx', port: undefined }), ['port: destination-tcx needs a port']);
  t.same(faults({ where: 'destination-tcx', from: 'node a' }), ['from: destination-tcx needs a pod or any here']);
  t.equal(faults({ where: 'source-tcx' }).length, 1);
  t.equal(faults({ with: 'reset' }).length, 1, 'a step cannot reject');
});

t.test('each filter has a unique priority, by which lift removes it', async (t) => {
  const pod = { namespace: 'shop', name: 'db-0' };
  const enforcement = [0, 1].map(
    (order): Enforcement => ({
      from: { kind: 'any' },
      to: parsePlace('shop/db-0')!,
      protocol: 'TCP',
      port: 80 + order,
      where: 'destination-tc',
      action: 'drop',
      order,
    }),
  );
  const world = { cluster: { nodes: [], pods: [{ ...pod, ...onNode }], services: [] }, outside: [] };
  const filters = tcFilters(pod, enforcement, world);
  t.equal(new Set(filters.map(({ priority }) => priority)).size, 4, 'two rules, two families');
  const lifted = removeFilters('veth0', tcFilters(pod, enforcement.slice(1), world));
  for (const command of lifted) {
    const [, priority] = /prio (\d+)$/.exec(command)!;
    t.ok(addFilters('veth0', filters).some((added) => added.includes(`prio ${priority} `)));
  }
  t.same(addFilters('veth0', []), [], 'no clsact without filters');
});

const addresses = ['10.0.0.2', 'fd00::2'].map((text) => parseAddress(text)!);
const onNode = { node: 'a', hostNetwork: false, addresses, listen: [] };
