// The shop with a third node, n3, whose agent may lie. Its only pod is batch.
import { podManifest, shop } from './pipeline.ts';

export const webLink = { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] };
export const dbLink = { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] };

export function shopWith(node: string): string {
  const manifest = `
apiVersion: v1
kind: Node
metadata: { name: ${node} }
spec: { podCIDRs: [10.0.3.0/24] }
status: { addresses: [{ type: InternalIP, address: 192.0.2.3 }] }
`;
  return [shop, manifest, podManifest('batch', node, '10.0.3.4')].join('---\n');
}
