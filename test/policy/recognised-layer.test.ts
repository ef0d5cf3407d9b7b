import t from 'tap';
import { changedLayer, emptyLayer, isEmptyLayer, recognisedLayer } from '../../policy/recognised-layer.ts';
import { app } from '../scene/cluster.ts';
import { recognised } from '../scene/recognised.ts';

const ofNamespace = recognised('CiliumNetworkPolicy.cilium.io', 'shop/db', {
  endpointSelector: app('db'),
  ingress: [{ fromEntities: ['cluster'] }],
});
const everywhere = recognised('CiliumClusterwideNetworkPolicy.cilium.io', '/all', {
  endpointSelector: app('db'),
  ingress: [{ fromEntities: ['cluster'] }],
});

t.test('a layer is empty before its first policy and after its last one', async (t) => {
  for (const policy of [ofNamespace, everywhere]) {
    const one = changedLayer(emptyLayer, policy, 'ingress', 'put');
    t.equal(isEmptyLayer(one), false, policy.kind);
    t.equal(isEmptyLayer(changedLayer(one, policy, 'ingress', 'gone')), true, policy.kind);
    t.equal(isEmptyLayer(changedLayer(emptyLayer, policy, 'egress', 'put')), true, 'it has no egress rules');
  }
  const both = recognisedLayer([ofNamespace, everywhere], 'ingress');
  t.equal(isEmptyLayer(both), false);
  t.equal(isEmptyLayer(changedLayer(both, ofNamespace, 'ingress', 'gone')), false);
  t.equal(isEmptyLayer(recognisedLayer([ofNamespace, everywhere], 'egress')), true);
});
