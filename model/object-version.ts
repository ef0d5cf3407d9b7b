// The cluster's objects over time, as the store keeps them, to continue with them after a restart.
import type { ClusterKind, ClusterObject } from './kubernetes.ts';

/**
 * An object was put or was gone at `fromUs`; 0: it existed when the collector first saw the cluster. With `sinceUs`, the
 * change was missed, as in ClusterEvent. `version` changes with every update of the object in the API server (of a policy:
 * of its spec); empty for an object from a manifest.
 */
export type ObjectVersion = {
  type: 'put' | 'gone';
  object: ClusterObject;
  version: string;
  fromUs: number;
  sinceUs?: number;
};

/**
 * What a source knows at a time: until when the objects of each kind are complete, and the version of each object by its
 * key. A version may be later than that of the last reported change, because some updates change nothing that is kept.
 */
export type KnownObjects = {
  untilUs: Partial<Record<ClusterKind, number>>;
  versions: Readonly<Record<string, string>>;
};

/** The objects that a former run knew last. The first list is compared with them. */
export type FormerObjects = {
  untilUs: KnownObjects['untilUs'];
  objects: readonly { object: ClusterObject; version: string }[];
};
