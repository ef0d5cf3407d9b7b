// The API server has the times of pods from the wall clock. The collector's clock differs from that after it was set.
import type { ClusterEvent } from '../../model/kubernetes.ts';

/** The event with the start and end of its pod on the collector's clock. `wallOffsetUs`: the wall clock minus that clock. */
export function withPodTimes(event: ClusterEvent, wallOffsetUs: number): ClusterEvent {
  if (wallOffsetUs === 0 || event.type !== 'put' || event.object.kind !== 'Pod') return event;
  const { startedUs, endedUs } = event.object;
  const converted = (wallUs: number) => (wallUs === 0 ? 0 : wallUs - wallOffsetUs);
  return { ...event, object: { ...event.object, startedUs: converted(startedUs), endedUs: converted(endedUs) } };
}
