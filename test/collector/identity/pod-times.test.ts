import t from 'tap';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { withPodTimes } from '../../../collector/identity/pod-times.ts';
import type { ClusterEvent, Pod } from '../../../model/kubernetes.ts';
import { pod } from '../../scene/pods.ts';
import { second, t0, web } from '../../scene/records.ts';

const hour = 3600 * second;

/** A pod of one second that the API server reports after its start, and after its end. Returns who had its address then. */
function ownerOfShortPod(wallOffsetUs: number): unknown {
  const history = new ClusterHistory();
  const start = { startedUs: t0 + wallOffsetUs };
  const versions: [Pod, number][] = [
    [pod('job', start), t0 + second / 2],
    [pod('job', { ...start, endedUs: t0 + second + wallOffsetUs, addresses: [] }), t0 + 3 * second],
  ];
  history.receive({ type: 'synced', atUs: t0 - second });
  for (const [object, atUs] of versions) history.receive(withPodTimes({ type: 'put', object, atUs }, wallOffsetUs));
  return [-0.5, 0.2, 0.9, 1.5].map((seconds) => history.ownerOf(web, t0 + seconds * second).owner);
}

t.test('a pod has its address at the same times, however the clock was set', async (t) => {
  for (const offsetUs of [0, -hour, hour])
    t.same(ownerOfShortPod(offsetUs), ['none-at-that-time', 'pod', 'pod', 'none-at-that-time'], `${offsetUs}`);
});

t.test('unknown times stay unknown, and other events as they are', async (t) => {
  const put: ClusterEvent = { type: 'put', object: pod('web', { startedUs: 0, endedUs: 0 }), atUs: t0 };
  t.same(withPodTimes(put, hour), put);
  const synced: ClusterEvent = { type: 'synced', atUs: t0 };
  t.equal(withPodTimes(synced, hour), synced);
});
