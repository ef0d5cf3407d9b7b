// An object of a CustomResourceDefinition that Waybill does not use. Its operator may create pods that no manifest shows.

import type { Labels } from './kubernetes.ts';

/**
 * `namespace` is empty if the manifest has none: the resource may be in any. `podLabels`: those of its template, which its pods
 * may have with others.
 */
export type CustomResource = { group: string; namespace: string; name: string; podLabels?: Labels };
