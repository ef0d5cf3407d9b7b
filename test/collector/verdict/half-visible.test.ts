// An interface that shows only what its pod sends: the pod's acknowledgement proves that somebody answered.
import t from 'tap';
import { ACK, type ConnectionRecord, RST, SYN } from '../../../model/record.ts';
import { Scene, shop } from '../../scene/pipeline.ts';
import { answered, ip, record, second } from '../../scene/records.ts';

const outside = { responder: ip('203.0.113.9'), responderPort: 443 };
const acknowledged: Partial<ConnectionRecord> = {
  ...outside,
  packets: { forward: 3, reverse: 0 },
  tcpFlags: { forward: SYN | ACK, reverse: 0 },
};
const isolatesEgress = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [] }
`;

function seen(policies: string, seesToPod: boolean, change: Partial<ConnectionRecord>): Scene {
  const scene = new Scene(`${shop}${policies}`);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'], seesToPod }]);
  scene.see('n1', record(change));
  scene.pass(15 * second);
  return scene;
}

t.test('an acknowledged connection to outside is undeclared or a bypass, though no answer is visible', async (t) => {
  const undeclared = seen('', false, acknowledged);
  t.match(
    [...undeclared.findings.values()],
    [{ kind: 'undeclared', severity: 'high', evidence: { deliveredBy: 'acknowledged' } }],
  );
  t.match([...undeclared.findings.values()][0]!.explanation, /network: the initiator acknowledged an answer/);
  t.match(
    [...undeclared.connections.values()],
    [{ outcome: 'established', delivered: { delivered: 'yes', by: 'acknowledged' } }],
  );
  const midStream = { ...acknowledged, initiatorBy: 'inferred', tcpFlags: { forward: ACK, reverse: 0 } } as const;
  t.same(seen('', false, midStream).kinds(), ['undeclared'], 'mid-stream');

  const denied = seen(isolatesEgress, false, acknowledged);
  t.match([...denied.findings.values()], [{ kind: 'bypass', severity: 'high' }], 'the pod alone says so');
});

t.test('without an acknowledgement, or where answers would be visible, nothing is claimed', async (t) => {
  for (const [name, seesToPod, change] of [
    ['only SYNs', false, { ...outside, packets: { forward: 3, reverse: 0 }, synRetries: 2 }],
    ['answers would be visible', true, acknowledged],
    [
      'only a reset',
      false,
      { ...acknowledged, packets: { forward: 2, reverse: 0 }, tcpFlags: { forward: SYN | ACK | RST, reverse: 0 } },
    ],
  ] as const) {
    const scene = seen('', seesToPod, change);
    t.same(scene.kinds(), [], name);
    t.match([...scene.connections.values()], [{ outcome: 'unanswered', verdict: 'undeclared' }], name);
    t.same(seen(isolatesEgress, seesToPod, change).kinds(), ['blocked'], name);
  }
});

t.test('a visible answer counts as before', async (t) => {
  const scene = seen(isolatesEgress, false, answered(outside));
  t.match(
    [...scene.findings.values()],
    [{ kind: 'bypass', severity: 'critical', evidence: { deliveredBy: 'answer' } }],
  );
});
