// Temporary folders of manifests, for tests that read and change them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Folder = {
  path: string;
  write: (name: string, text: string | Uint8Array) => void;
  remove: (name: string) => void;
};

/** Removed at the end of the test. */
export function folder(
  t: { teardown(remove: () => void): void },
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Folder {
  const path = mkdtempSync(join(tmpdir(), 'waybill-manifests-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  const write = (name: string, text: string | Uint8Array): void => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { path, write, remove: (name) => rmSync(join(path, name), { recursive: true }) };
}

/** A Namespace as YAML, with one label. */
export function namespace(name: string, team = 'a'): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n  labels: {team: ${team}}\n`;
}
