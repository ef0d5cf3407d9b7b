import t from 'tap';
import { UDP } from '../../model/protocol.ts';
import { ACK } from '../../model/record.ts';
import { graceUs, ingressPolicy, podManifest, Scene, shop } from '../scene/pipeline.ts';
import { answered, atDestination, ip, record, reset, second, t0 } from '../scene/records.ts';

const webLink = { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] };
const dbLink = { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] };

/** A scene in which both agents report. */
function watched(manifests: string): Scene {
  const scene = new Scene(manifests);
  scene.report('n1', [webLink]);
  scene.report('n2', [dbLink]);
  return scene;
}

t.test('denied and delivered is a bypass that names the policy and the peer that it allows', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.see('n1', answered());
  scene.see('n2', atDestination(answered()));
  scene.pass(second);
  t.same(scene.kinds(), ['bypass']);
  const [finding] = scene.findings.values();
  t.equal(finding!.severity, 'critical');
  t.match(finding!.explanation, /shop\/web -> shop\/db TCP 5432/);
  t.match(finding!.explanation, /NetworkPolicy shop\/db/);
  t.match(finding!.explanation, /app=api/);
  t.equal(finding!.sides[1]!.verdict, 'denied');
  t.match(finding!.connection, { placement: 'cross-node', verdict: 'denied', outcome: 'established' });
});

t.test('denied and dropped is blocked, with the evidence that nothing arrived', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.see('n1', record());
  scene.pass(3 * second);
  t.same(scene.kinds(), ['blocked']);
  const [finding] = scene.findings.values();
  t.same(finding!.connection!.delivered, { delivered: 'no' });
  t.match(finding!.explanation, /^network: the responder's interface was watched and nothing arrived$/m);
});

t.test('denied and refused by an unknown party is blocked with unknown delivery', async (t) => {
  const scene = new Scene(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.report('n1', [webLink]);
  scene.see('n1', reset());
  scene.pass(3 * second);
  t.same(scene.kinds(), ['blocked']);
  t.match([...scene.findings.values()][0]!.explanation, /^network: refused, but it is unknown by whom: /m);
});

t.test('undeclared connections across nodes and to the internet are findings', async (t) => {
  const scene = watched(shop);
  scene.see('n1', answered(), answered({ responder: ip('203.0.113.9'), responderPort: 443 }));
  scene.see('n2', atDestination(answered()));
  scene.pass(second);
  t.same(scene.kinds(), ['undeclared', 'undeclared']);
  t.same([...scene.findings.values()].map((one) => one.severity).sort(), ['high', 'medium']);
});

t.test(
  'an external endpoint has the DNS names that pods resolved before, newest first, also in the explanation',
  async (t) => {
    const scene = watched(shop);
    const out = { responder: ip('203.0.113.9'), responderPort: 443 };
    scene.see('n1', answered({ ...out, initiatorPort: 1 }));
    scene.pass(5 * second);
    t.same([...scene.findings.values()][0]!.responder!.names, undefined, 'not resolved yet');
    scene.dnsAnswer('cdn.example', '203.0.113.9', 60);
    scene.dnsAnswer('www.example', '203.0.113.9', 60);
    scene.dnsAnswer('db.example', '10.0.2.3', 60);
    const begun = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
    scene.see('n1', answered({ ...out, ...begun, initiatorPort: 2 }));
    scene.seeBoth(answered({ ...begun, initiatorPort: 3 }));
    scene.pass(second);
    const [inside, outside] = [5432, 443].map((port) => [...scene.findings.values()].find((one) => one.port === port));
    t.same(outside!.responder!.names, ['www.example', 'cdn.example']);
    t.match(outside!.explanation, /^shop\/web -> 203\.0\.113\.9 \(www\.example \+1, internet\) TCP 443 leaves/);
    t.equal(outside!.connections, 2);
    t.equal(inside!.responder!.names, undefined, 'a pod has no DNS names');
    const names = [...scene.connections.values()].map(({ initiatorPort, responder }) => [
      initiatorPort,
      responder.names,
    ]);
    t.same(names.sort(), [
      [1, undefined],
      [2, ['www.example', 'cdn.example']],
      [3, undefined],
    ]);
  },
);

t.test('a connection that lives longer than its name’s time to live keeps the name', async (t) => {
  const scene = watched(shop);
  scene.dnsAnswer('www.example', '203.0.113.9', 1);
  const out = { responder: ip('203.0.113.9'), responderPort: 443, beganUs: t0 };
  scene.see('n1', answered({ ...out, firstUs: t0, lastUs: t0 }));
  scene.pass(second);
  for (let i = 1; i <= 20; i++) {
    scene.nowUs += 60 * second;
    scene.see('n1', answered({ ...out, firstUs: scene.nowUs, lastUs: scene.nowUs }));
    scene.pass(second);
  }
  scene.see(
    'n1',
    answered({ ...out, initiatorPort: 9, beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs }),
  );
  scene.pass(second);
  const names = [...scene.connections.values()].map(({ initiatorPort, responder }) => [initiatorPort, responder.names]);
  t.same(names.sort(), [
    [40000, ['www.example']],
    [9, undefined],
  ]);
});

t.test('allowed and delivered is no finding; allowed and lost is broken', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'web')}`);
  scene.see('n1', answered());
  scene.see('n2', atDestination(answered()));
  scene.pass(second);
  t.same(scene.kinds(), []);
  scene.see('n1', record({ initiatorPort: 40001, synRetries: 1, beganUs: scene.nowUs, firstUs: scene.nowUs }));
  scene.pass(3 * second);
  t.same(scene.kinds(), ['broken']);
});

t.test('re-evaluation gives one finding, which counts several connections', async (t) => {
  const scene = watched(shop);
  for (const port of [1, 2, 3]) scene.seeBoth(answered({ initiatorPort: port }));
  scene.pass(second);
  for (const port of [1, 2, 3])
    scene.seeBoth(answered({ initiatorPort: port, firstUs: t0 + second, lastUs: t0 + second }));
  scene.pass(second);
  t.equal(scene.findings.size, 1);
  t.equal([...scene.findings.values()][0]!.connections, 3);
});

t.test('a late answer retracts a finding for a missing answer', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'web')}`);
  scene.see('n1', record({ synRetries: 1 }));
  scene.pass(3 * second);
  t.same(scene.kinds(), ['broken']);
  scene.see('n1', answered({ firstUs: t0 + 4 * second, lastUs: t0 + 4 * second }));
  scene.pass(second);
  t.same(scene.kinds(), []);
});

t.test('a finding describes a connection that it counts, also when those seen last turn out to be none', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  const seen = (initiatorPort: number) => {
    const atUs = t0 + initiatorPort * 1000;
    return { initiatorPort, beganUs: atUs, firstUs: atUs, lastUs: atUs };
  };
  const described = () => {
    const blocked = [...scene.findings.values()].find(({ kind }) => kind === 'blocked')!;
    const example = scene.connections.get(blocked.connection?.id ?? '');
    return { connections: blocked.connections, port: example?.initiatorPort, explanation: blocked.explanation };
  };
  for (const port of [1, 2, 3, 4]) {
    scene.see('n1', record(seen(port)));
    scene.pass(15 * second);
  }
  t.match(described(), { connections: 4, port: 4 });
  // The packets of the later ones were delivered after all.
  for (const [port, expected] of [
    [4, { connections: 3, port: 3 }],
    [3, { connections: 2 }],
    [2, { connections: 1, port: 1 }],
  ] as const) {
    scene.see('n2', atDestination(answered(seen(port))));
    scene.pass(15 * second);
    t.match(described(), { ...expected, explanation: /is denied by policy, and the network did not deliver it/ });
    t.ok([1, 2, 3].includes(described().port!));
  }
});

t.test('a finding whose remaining connections are forgotten describes none of the others', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.see('n1', reset({ initiatorPort: 1 }));
  scene.pass(300 * second);
  t.equal(scene.pipeline.counts.live, 0);
  for (const port of [2, 3]) {
    const atUs = scene.nowUs + port;
    const seen = { initiatorPort: port, beganUs: atUs, firstUs: atUs, lastUs: atUs };
    scene.see('n1', record(seen));
    scene.pass(5 * second);
    scene.see('n1', answered({ ...seen, firstUs: atUs + 1, lastUs: atUs + 1 }));
    scene.see('n2', atDestination(answered(seen)));
    scene.pass(15 * second);
  }
  const blocked = [...scene.findings.values()].find(({ kind }) => kind === 'blocked')!;
  t.match(blocked, {
    connections: 1,
    severity: 'medium',
    initiator: { workload: 'web' },
    responder: { workload: 'db' },
  });
  const example = blocked.connection === undefined ? undefined : scene.connections.get(blocked.connection.id);
  t.ok(example === undefined || example.initiatorPort === 1);
});

t.test('a bypass counts only after the grace that follows a policy change', async (t) => {
  const scene = watched(shop);
  scene.pass(20 * second);
  scene.put(ingressPolicy('db', 'api'));
  scene.pass(2 * second);
  const early = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  scene.seeBoth(answered(early));
  scene.pass(second);
  t.notOk(scene.kinds().includes('bypass'));
  scene.pass(graceUs);
  const late = { initiatorPort: 2, beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  scene.seeBoth(answered(late));
  scene.pass(second);
  t.ok(scene.kinds().includes('bypass'));
});

t.test('a connection that outlives the change that denies it is grandfathered', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'web')}`);
  scene.see('n1', answered());
  scene.pass(5 * second);
  scene.put(ingressPolicy('db', 'api'));
  scene.pass(2 * second);
  scene.see('n1', answered({ firstUs: scene.nowUs, lastUs: scene.nowUs }));
  scene.pass(second);
  t.same(scene.kinds(), [], 'within the grace');
  scene.pass(graceUs);
  scene.see('n1', answered({ firstUs: scene.nowUs, lastUs: scene.nowUs }));
  scene.pass(second);
  t.same(scene.kinds(), ['grandfathered']);
});

t.test('a reused address is evaluated as the pod that had it at that time', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'web')}`);
  scene.seeBoth(answered());
  scene.pass(second);
  scene.gone(podManifest('web', 'n1', '10.0.1.2'));
  scene.report('n1', [{ ...webLink, goneUs: scene.nowUs }]);
  scene.pass(second / 2);
  scene.put(podManifest('job', 'n1', '10.0.1.2'));
  scene.pass(second);
  const later = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  scene.see('n2', atDestination(answered({ initiatorPort: 2, ...later })));
  scene.pass(12 * second);
  const initiators = [...scene.connections.values()].map((one) => `${one.initiator.pod} ${one.verdict}`);
  t.same(initiators.sort(), ['job denied', 'web allowed']);
});

t.test(
  'a new pod that connects before the API server reports it is not mistaken for the former owner of its address',
  async (t) => {
    const scene = watched(shop);
    scene.report('n1', [webLink, { index: 8, podUid: '', addresses: ['10.0.1.2'], watchedSinceUs: t0 }]);
    scene.see('n1', answered({ interfaceIndex: 8, beganUs: t0 + second, firstUs: t0 + second, lastUs: t0 + second }));
    scene.pass(3 * second);
    scene.gone(podManifest('web', 'n1', '10.0.1.2'));
    scene.put(podManifest('job', 'n1', '10.0.1.2'));
    scene.report('n1', [webLink, { index: 8, podUid: 'uid-job', addresses: ['10.0.1.2'], watchedSinceUs: t0 }]);
    scene.pass(2 * second);
    t.same(
      [...scene.connections.values()].map((one) => one.initiator.pod),
      ['job'],
    );
  },
);

t.test('an address without an owner gives an unknown verdict and no finding', async (t) => {
  const scene = watched(shop);
  scene.see('n1', answered({ responder: ip('10.0.2.77') }));
  scene.pass(12 * second);
  t.same(
    [...scene.connections.values()].map((one) => [one.verdict, one.unknownReason]),
    [['unknown', 'the address had no owner at that time']],
  );
  t.same(scene.kinds(), []);
  t.match(scene.pipeline.counts.verdicts, { 'unknown: the address had no owner at that time': 1 });
});

t.test('a step that does not evaluate all connections of unknown owners reports that more are due', async (t) => {
  const scene = watched(shop);
  scene.pass(20 * second);
  const times = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  const unknown = ip('10.0.2.77');
  for (let i = 0; i < 5; i++) scene.see('n1', answered({ responder: unknown, initiatorPort: 1000 + i, ...times }));
  scene.pass(second);
  scene.nowUs += second;
  const more = [1, 2, 3].map(() => scene.pipeline.tick(scene.nowUs, 2));
  t.same(more, [true, true, false]);
  t.equal(scene.pipeline.changes().connections.length, 5);
});

t.test('a masqueraded connection is evaluated by pod and by address, and unknown if the verdicts differ', async (t) => {
  const translation = {
    original: { initiator: ip('10.0.1.2'), initiatorPort: 40000, responder: ip('10.96.0.10'), responderPort: 80 },
    translated: { initiator: ip('192.0.2.1'), initiatorPort: 61000, responder: ip('10.0.2.3'), responderPort: 5432 },
  };
  const through = answered({ ...translation.original, translation });
  const differs = watched(`${shop}---${ingressPolicy('db', 'web')}`);
  differs.see('n1', through);
  differs.pass(second);
  t.match([...differs.connections.values()][0], { verdict: 'unknown', findingId: '' });
  const same = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  same.see('n1', through);
  same.see('n2', atDestination(answered({ ...translation.translated })));
  same.pass(second);
  t.same(same.kinds(), ['bypass']);
});

t.test('multicast is never a finding, cloud metadata can be', async (t) => {
  const scene = watched(shop);
  const unanswered = { protocol: UDP, initiatorPort: 5353, responderPort: 5353, tcpFlags: { forward: 0, reverse: 0 } };
  scene.see('n1', record({ ...unanswered, responder: ip('224.0.0.251') }));
  scene.see('n1', answered({ responder: ip('169.254.169.254'), responderPort: 80 }));
  scene.pass(3 * second);
  t.same(scene.kinds(), ['undeclared']);
  t.equal([...scene.findings.values()][0]!.responder!.ip, '169.254.169.254');
});

t.test('a pod that reaches a loopback address by its interface is a finding only if a policy denies it', async (t) => {
  const scene = watched(shop);
  scene.see('n1', answered({ responder: ip('127.0.0.1'), responderPort: 10_250 }));
  scene.pass(3 * second);
  t.same(scene.kinds(), []);
  t.match([...scene.connections.values()], [{ verdict: 'undeclared', responder: { zone: 'loopback' } }]);
  const isolated = watched(`${shop}---${ingressPolicy('web', 'db').replace('[Ingress]', '[Ingress, Egress]')}`);
  isolated.see('n1', answered({ responder: ip('127.0.0.1'), responderPort: 10_250 }));
  isolated.pass(3 * second);
  t.same(isolated.kinds(), ['bypass']);
});

t.test('a bypass with an inferred initiator is never critical', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.seeBoth(answered({ initiatorBy: 'inferred', tcpFlags: { forward: ACK, reverse: ACK } }));
  scene.pass(second);
  t.same(
    [...scene.findings.values()].map((one) => `${one.kind} ${one.severity}`),
    ['bypass high'],
  );
});

t.test('a policy that selects a host-network pod, or nothing, is inert until that is fixed', async (t) => {
  const proxy = podManifest('proxy', 'n1', '192.0.2.1', ', hostNetwork: true');
  const scene = watched(`${shop}---${proxy}---${ingressPolicy('proxy', '')}---${ingressPolicy('typo', '')}`);
  scene.pass(2 * second);
  t.same(scene.kinds(), ['inert', 'inert']);
  scene.gone(ingressPolicy('typo', ''));
  scene.pass(2 * second);
  t.same(
    [...scene.findings.values()].map((one) => one.initiator.workload),
    ['proxy'],
  );
});

t.test('a connection from a node to its own pod is host traffic and not a finding', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.see('n2', atDestination(answered({ initiator: ip('192.0.2.2') })));
  scene.pass(second);
  t.match([...scene.connections.values()][0], { placement: 'host', verdict: 'allowed' });
  t.same(scene.kinds(), []);
});

t.test(
  'the bridge address of a node is identified as the node; if two nodes have it, as the one whose pod saw it',
  async (t) => {
    const fromBridge = atDestination(answered({ initiator: ip('10.0.2.1') }));
    const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
    scene.report('n2', [dbLink], ['192.0.2.2', '10.0.2.1']);
    scene.see('n2', fromBridge);
    scene.pass(second);
    t.match([...scene.connections.values()], [{ initiator: { kind: 'node', node: 'n2' }, verdict: 'allowed' }]);
    t.same(scene.kinds(), []);

    const alike = watched(shop);
    for (const [node, link] of [
      ['n1', webLink],
      ['n2', dbLink],
    ] as const)
      alike.report(node, [link], ['172.17.0.1']);
    alike.see('n2', { ...fromBridge, initiator: ip('172.17.0.1') });
    alike.pass(second);
    t.match([...alike.connections.values()], [{ initiator: { kind: 'node', node: 'n2' } }]);
  },
);

t.test('a gap in observation makes delivery unknown, but the pod stays known', async (t) => {
  const scene = watched(shop);
  const [early, late] = [t0, t0 + 2 * second];
  // The API server has removed the pod by then: only its agent knows the pod behind the interface.
  scene.gone(podManifest('db', 'n2', '10.0.2.3'));
  scene.report('n2', [{ ...dbLink, gapFreeSinceUs: t0 + second }]);
  for (const at of [early, late]) {
    scene.see('n1', record({ initiatorPort: at === early ? 1 : 2, beganUs: at, firstUs: at, lastUs: at }));
  }
  scene.pass(15 * second);
  const connections = [...scene.connections.values()].map(({ initiatorPort, responder, delivered }) => ({
    initiatorPort,
    pod: responder.pod,
    delivered: delivered.delivered,
  }));
  t.same(
    connections.sort((a, b) => a.initiatorPort - b.initiatorPort),
    [
      { initiatorPort: 1, pod: 'db', delivered: 'unknown' },
      { initiatorPort: 2, pod: 'db', delivered: 'no' },
    ],
  );
});
