import t from 'tap';
import { isLoopback, isUniqueAddress, localZoneOf } from '../../../collector/identity/local-addresses.ts';
import { zoneFinder } from '../../../collector/identity/zones.ts';
import { parsePrefix } from '../../../model/address.ts';
import { ip } from '../../scene/records.ts';

t.test('loopback, link-local and multicast addresses have zones of their own', async (t) => {
  const zones = {
    loopback: ['127.0.0.1', '127.0.0.0', '127.255.255.255', '::1'],
    'link-local': ['169.254.3.3', 'fe80::1', '0.0.0.0', '::'],
    multicast: ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
  };
  for (const [zone, addresses] of Object.entries(zones)) {
    for (const address of addresses) {
      t.equal(localZoneOf(ip(address)), zone, address);
      t.equal(isUniqueAddress(ip(address)), false, address);
      t.equal(isLoopback(ip(address)), zone === 'loopback', address);
    }
  }
  for (const address of ['126.255.255.255', '128.0.0.1', '12.7.0.1', '::2', '10.0.0.1', '169.254.169.254']) {
    t.equal(localZoneOf(ip(address)), undefined, address);
  }
});

t.test('a zone of the config comes first', async (t) => {
  const find = zoneFinder({ own: [parsePrefix('127.0.0.0/8')!] });
  t.equal(find(ip('127.0.0.1')), 'own');
  t.equal(find(ip('::1')), 'loopback');
  t.equal(find(ip('203.0.113.7')), 'internet');
});
