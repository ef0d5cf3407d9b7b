// JSON without control characters.
import { escapeJson } from '../../model/escape.ts';

/** Parses to the same value as unescaped JSON. */
export function jsonText(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, null, indent));
}
