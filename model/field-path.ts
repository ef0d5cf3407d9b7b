// The path of a field in an object: `['spec', 'egress', 0, 'ports', 1]`; empty for the whole object.
export type FieldPath = readonly (string | number)[];

/** `spec.ingress[0].ports[0].endPort`; keys with other characters are quoted: `metadata.labels["a/b"]`. */
export function pathText(path: FieldPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step.length > 80 ? `${step.slice(0, 77)}...` : step)}]`;
  }
  return text;
}
