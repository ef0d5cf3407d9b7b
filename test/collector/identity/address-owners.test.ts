import t from 'tap';
import { AddressOwners } from '../../../collector/identity/address-owners.ts';
import { pod } from '../../scene/pods.ts';
import { second, t0, web } from '../../scene/records.ts';

t.test('an address belongs to the pod that had it at that time', async (t) => {
  const owners = new AddressOwners();
  owners.put(pod('old'), 0, 'initial');
  owners.remove(pod('old'), t0 + second);
  owners.put(pod('new'), t0 + 2 * second, 'change');
  t.same(owners.at(web, t0), { owner: 'pod', uid: 'old' });
  t.same(owners.at(web, t0 + 1.5 * second), { owner: 'none-at-that-time' });
  t.same(owners.at(web, t0 + 3 * second), { owner: 'pod', uid: 'new' });
});

t.test(
  'a pod that is reported late owns its address since its start, but not before the former owner ended',
  async (t) => {
    const owners = new AddressOwners();
    owners.put(pod('old'), 0, 'initial');
    owners.remove(pod('old'), t0 + second);
    owners.put(pod('new', { startedUs: t0 }), t0 + 4 * second, 'change');
    t.same(owners.at(web, t0 + 2 * second), { owner: 'pod', uid: 'new' });
    t.same(owners.at(web, t0 + 0.5 * second), { owner: 'pod', uid: 'old' });
  },
);

t.test('an address with two owners at the same time is ambiguous', async (t) => {
  const owners = new AddressOwners();
  owners.put(pod('old'), 0, 'initial');
  owners.put(pod('new'), t0, 'change');
  t.same(owners.at(web, t0 + second), { owner: 'ambiguous' });
});

t.test('an address that no pod ever had has no owner', async (t) => {
  t.same(new AddressOwners().at(web, t0), { owner: 'never' });
});
