// Continues after a restart with the objects of the former run. The first list is then compared with them: what did not
// change was valid throughout.
import { type ClusterEvent, objectKey } from '../../model/kubernetes.ts';
import type { FormerObjects, KnownObjects, ObjectVersion } from '../../model/object-version.ts';

/**
 * Reports the stored versions, oldest first. What existed at `baseUs` counts as older than everything. Returns the objects
 * that existed last.
 */
export function restoreObjects(
  versions: readonly ObjectVersion[],
  known: KnownObjects,
  baseUs: number,
  receive: (event: ClusterEvent) => void,
): FormerObjects {
  const base = new Map<string, ObjectVersion>();
  const latest = new Map<string, ObjectVersion>();
  for (const version of versions) {
    const key = objectKey(version.object);
    latest.set(key, version);
    if (version.fromUs <= baseUs) base.set(key, version);
  }
  for (const { type, object } of base.values()) if (type === 'put') receive({ type, object, atUs: 0 });
  receive({ type: 'synced', atUs: baseUs });
  for (const { type, object, fromUs, sinceUs } of versions)
    if (fromUs > baseUs) receive({ type, object, atUs: fromUs, ...(sinceUs !== undefined && { sinceUs }) });
  return {
    untilUs: untilUsOf(versions, known),
    objects: [...latest.values()].flatMap((one) => formerObject(one, known)),
  };
}

/** A later update may have changed only the version. */
function formerObject({ type, object, version, fromUs }: ObjectVersion, { untilUs, versions }: KnownObjects) {
  if (type === 'gone') return [];
  const isLater = fromUs > (untilUs[object.kind] ?? 0);
  return [{ object, version: isLater ? version : (versions[objectKey(object)] ?? version) }];
}

/** A change that was stored after `known` shows that the objects of its kind were complete until then. */
function untilUsOf(versions: readonly ObjectVersion[], { untilUs }: KnownObjects): KnownObjects['untilUs'] {
  const latest = { ...untilUs };
  for (const { object, fromUs } of versions) {
    const knownUs = latest[object.kind];
    if (knownUs !== undefined && fromUs > knownUs) latest[object.kind] = fromUs;
  }
  return latest;
}
