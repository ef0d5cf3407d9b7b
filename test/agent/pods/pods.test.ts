import t from 'tap';
import { LocalPods } from '../../../agent/pods/pods.ts';
import type { Pod } from '../../../model/kubernetes.ts';
import { pod } from '../../scene/pods.ts';
import { second, t0, web } from '../../scene/records.ts';

function link(index: number, appearedUs = t0) {
  return { index, appearedUs, addresses: [web] };
}

function local(...pods: Pod[]): LocalPods {
  const made = new LocalPods('n1');
  for (const one of pods) made.receive({ type: 'put', object: one, atUs: t0 });
  return made;
}

t.test('a pod is behind the interface that has its address', async (t) => {
  const pods = local(pod('web-1'));
  t.ok(pods.bind([link(7)], t0));
  t.equal(pods.podAt(7), 'web-1');
  t.notOk(pods.bind([link(7)], t0), 'nothing changed');
});

t.test('pods of other nodes and pods on the host network are behind no interface', async (t) => {
  const pods = local(pod('far', { node: 'n2' }), pod('host', { hostNetwork: true }));
  pods.bind([link(7)], t0);
  t.equal(pods.podAt(7), '');
});

t.test('a new interface with a dead pod’s address is not bound to that pod', async (t) => {
  const pods = local(pod('old'));
  pods.bind([link(7)], t0);
  pods.bind([link(8, t0 + second)], t0 + second);
  t.equal(pods.podAt(8), '', 'the API server has reported no other pod yet');
  pods.receive({ type: 'put', object: pod('new'), atUs: t0 + second });
  pods.bind([link(8, t0 + second)], t0 + second);
  t.equal(pods.podAt(8), 'new', 'although the old one is not reported as gone');
});

t.test('if two pods have the address, the interface is bound to neither', async (t) => {
  const pods = local(pod('one'), pod('two'));
  pods.bind([link(7)], t0);
  t.equal(pods.podAt(7), '');
  pods.receive({ type: 'gone', object: pod('one'), atUs: t0 });
  pods.bind([link(7)], t0);
  t.equal(pods.podAt(7), 'two');
});

t.test('a pod whose sandbox was made again is bound to its new interface after a while', async (t) => {
  const pods = local(pod('web-1'));
  pods.bind([link(7)], t0);
  pods.bind([link(8, t0 + second)], t0 + 12 * second);
  t.equal(pods.podAt(8), 'web-1');
});
