// Validates the responses of the API server to list and watch.
import { ApiRefusal } from './api-server.ts';

export type ListPage = { items: readonly unknown[]; resourceVersion: string; next: string };

/** `expired` (410): the server no longer has the requested version, so the objects must be listed again. */
export type WatchEvent =
  | { type: 'put'; raw: unknown; resourceVersion: string }
  | { type: 'gone'; raw: unknown; resourceVersion: string }
  | { type: 'bookmark'; resourceVersion: string }
  | { type: 'expired' };

/** Throws if it is not a list: an invalid response must not look like an empty cluster. */
export function readListPage(response: unknown): ListPage {
  const metadata = fieldOf(response, 'metadata');
  const items = fieldOf(response, 'items');
  const resourceVersion = fieldOf(metadata, 'resourceVersion');
  if (typeof resourceVersion !== 'string' || (items != null && !Array.isArray(items))) {
    throw new Error('the response is not a list');
  }
  const next = fieldOf(metadata, 'continue');
  return { items: items ?? [], resourceVersion, next: typeof next === 'string' ? next : '' };
}

/** Throws an ApiRefusal for an ERROR other than 410. */
export function readWatchEvent(line: unknown): WatchEvent {
  const type = fieldOf(line, 'type');
  const raw = fieldOf(line, 'object');
  if (type === 'ERROR') return readError(raw);
  const resourceVersion = fieldOf(fieldOf(raw, 'metadata'), 'resourceVersion');
  if (typeof resourceVersion !== 'string') throw new Error('the watch sent an invalid event');
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'put', raw, resourceVersion };
  if (type === 'DELETED') return { type: 'gone', raw, resourceVersion };
  if (type === 'BOOKMARK') return { type: 'bookmark', resourceVersion };
  throw new Error(`the watch sent an event of unknown type ${JSON.stringify(type)?.slice(0, 60)}`);
}

function readError(status: unknown): { type: 'expired' } {
  const code = fieldOf(status, 'code');
  if (code === 410) return { type: 'expired' };
  const message = fieldOf(status, 'message');
  const text = typeof message === 'string' ? message : 'the watch failed';
  throw new ApiRefusal(typeof code === 'number' ? code : 500, text);
}

/** Namespace and name of an object; empty if missing. */
export function nameOf(raw: unknown): { namespace: string; name: string } {
  const metadata = fieldOf(raw, 'metadata');
  const namespace = fieldOf(metadata, 'namespace');
  const name = fieldOf(metadata, 'name');
  return { namespace: typeof namespace === 'string' ? namespace : '', name: typeof name === 'string' ? name : '' };
}

/** What changes when an object is replaced, updated, or gets another spec; empty if missing. */
export function identityOf(raw: unknown): { uid: string; resourceVersion: string; generation: string } {
  const metadata = fieldOf(raw, 'metadata');
  const text = (name: string): string => String(fieldOf(metadata, name) ?? '');
  return { uid: text('uid'), resourceVersion: text('resourceVersion'), generation: text('generation') };
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
