// An object of a CustomResourceDefinition that Waybill does not use. Its operator may create pods that no manifest shows.

/** `namespace` is empty if the manifest has none: the resource may be in any. */
export type CustomResource = { group: string; namespace: string; name: string };
