import t from 'tap';
import { readSources } from '../../../cluster/manifests/read.ts';
import { folder } from './folders.ts';

t.test('a source has the values as written, undefined for defaults, and the line of each part', async (t) => {
  const { path } = folder(t, {
    'db.yaml': [
      'kind: NetworkPolicyList',
      'apiVersion: networking.k8s.io/v1',
      'items:',
      '  - metadata: { name: db, namespace: shop }',
      '    spec:',
      '      podSelector: {}',
      '      ingress:',
      '        - ports:',
      '            - port: 53',
      '            - protocol: UDP',
      '              port: 53',
    ].join('\n'),
  });
  const { objects, sources } = await readSources(path);
  const source = sources.get(objects[0]!)!;
  const port = (at: number, name: string) => ['spec', 'ingress', 0, 'ports', at, name];
  t.equal(source.value(port(0, 'protocol')), undefined);
  t.equal(source.value(port(1, 'protocol')), 'UDP');
  t.equal(source.value(port(7, 'protocol')), undefined);
  t.equal(source.locate(port(1, 'port')), 'db.yaml:11');
  t.equal(source.locate(port(0, 'protocol')), 'db.yaml:9', 'a missing part has the line of its parent');
});
