import t from 'tap';
import { flag, path } from '../../config/setting.ts';
import { settingNames } from '../../config/setting-names.ts';

t.test('a setting has a name in YAML, a flag and a variable', async (t) => {
  const named = settingNames({
    policy: { ipBlockMatchesPods: flag({ default: true, help: '' }) },
    store: { path: path({ default: '', help: '' }) },
  });
  t.match(named, [
    {
      key: 'policy.ipBlockMatchesPods',
      flag: 'policy-ip-block-matches-pods',
      variable: 'WAYBILL_POLICY_IP_BLOCK_MATCHES_PODS',
    },
    { key: 'store.path', flag: 'store-path', variable: 'WAYBILL_STORE_PATH' },
  ]);
});
