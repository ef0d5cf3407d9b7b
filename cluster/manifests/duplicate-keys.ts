// Finds the keys that a mapping has twice. kubectl and Helm use the last value, as JSON parsers do.
import { EVENT_ID, type Event, getScalarValue } from 'js-yaml';

/** `offset`: of the later key. */
export type DuplicateKey = { key: string; offset: number };

type Container = { keys: Set<string> | undefined; expectsKey: boolean };

/** A merge key (`<<`) may be repeated. */
export function duplicateKeys(events: readonly Event[], text: string): DuplicateKey[] {
  const found: DuplicateKey[] = [];
  const containers: Container[] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      containers.pop();
      continue;
    }
    const parent = containers.at(-1);
    const isKey = parent?.keys !== undefined && parent.expectsKey;
    if (isKey && event.type === EVENT_ID.SCALAR) {
      const key = getScalarValue(text, event);
      if (parent.keys!.has(key) && key !== '<<') found.push({ key, offset: Math.max(0, event.valueStart) });
      parent.keys!.add(key);
    }
    if (parent !== undefined) parent.expectsKey = !parent.expectsKey;
    if (event.type === EVENT_ID.MAPPING) containers.push({ keys: new Set(), expectsKey: true });
    if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.DOCUMENT)
      containers.push({ keys: undefined, expectsKey: false });
  }
  return found;
}

/** The same for valid JSON, without parsing it as YAML, which takes five times as long. */
export function duplicateJsonKeys(text: string): DuplicateKey[] {
  const found: DuplicateKey[] = [];
  const containers: (Set<string> | undefined)[] = [];
  let keys: Set<string> | undefined;
  for (const token of text.matchAll(/"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|[{}[\]]/gs)) {
    const [of, key, colon] = token;
    if (of === '{' || of === '[') {
      containers.push(keys);
      keys = of === '{' ? new Set() : undefined;
    } else if (of === '}' || of === ']') keys = containers.pop();
    else if (colon !== undefined && keys !== undefined) {
      if (keys.has(key!)) found.push({ key: key!, offset: token.index });
      keys.add(key!);
    }
  }
  return found;
}
