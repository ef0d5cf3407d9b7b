// One-line builder for policies of other APIs.
import { parseObject } from '../../cluster/parse/parse.ts';
import { isRecognised } from '../../model/kubernetes.ts';
import {
  groupOfKind,
  nameOfKind,
  type RecognisedPolicy,
  type WatchedKind,
  watchedFactsOf,
} from '../../model/recognised-policy.ts';

/** `place` is `NAMESPACE/NAME`, or `NAME` for a kind of the whole cluster. `spec` is as in a manifest. */
export function recognised(kind: WatchedKind, place: string, spec: unknown, rest: object = {}): RecognisedPolicy {
  const parsed = parseObject(rawRecognised(kind, place, spec, rest));
  if (parsed.is !== 'object' || !isRecognised(parsed.object)) throw new Error(`no recognised policy: ${kind} ${place}`);
  return parsed.object;
}

export function rawRecognised(kind: WatchedKind, place: string, spec: unknown, rest: object = {}) {
  const [name, namespace] = place.split('/').reverse();
  return {
    apiVersion: `${groupOfKind(kind)}/${watchedFactsOf(kind).version}`,
    kind: nameOfKind(kind),
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    spec,
    ...rest,
  };
}
