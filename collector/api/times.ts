// A time as users write it: a duration before now (10m, 2h, 3d), or RFC 3339.
import { durationMs } from '../../config/setting.ts';

const rfc3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)([Zz]|[+-]\d\d:\d\d)$/;

export const timeFix = 'write it as 10m, 2h or 3d ago, or as 2026-01-31T08:00:00Z';

/** µs since the epoch; undefined if the text is not a time. */
export function parseTimeUs(text: string, nowUs: number): number | undefined {
  const agoMs = durationMs(text);
  if (agoMs !== undefined) return nowUs - agoMs * 1000;
  const parts = rfc3339.exec(text);
  if (parts === null) return undefined;
  const [, day, time, zone] = parts;
  const ms = Date.parse(`${day}T${time!.slice(0, 8)}${zone!.toUpperCase()}`);
  // Date.parse accepts 31 February as 3 March.
  if (Number.isNaN(ms) || new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day) return undefined;
  return ms * 1000 + Math.round(Number(time!.slice(8) || '0') * 1_000_000);
}
