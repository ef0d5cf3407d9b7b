// Who sent it: the interface that a packet left by, not its source address (docs/findings.md, "Who sent it").
import t from 'tap';
import { parsePrefix } from '../../../model/address.ts';
import { ICMP, TCP, UDP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord, FIN, RST, SYN } from '../../../model/record.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, ip, record, reset, second, t0 } from '../../scene/records.ts';

const [batch, evil] = [ip('10.0.1.7'), ip('10.0.1.66')];
const pods = `${shop}---${podManifest('batch', 'n1', batch)}---${podManifest('evil', 'n1', evil)}`;
/** db allows batch only. */
const manifests = `${pods}---${ingressPolicy('db', 'batch')}`;
const links = {
  web: { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] },
  batch: { index: 8, podUid: 'uid-batch', addresses: [batch] },
  evil: { index: 66, podUid: 'uid-evil', addresses: [evil] },
  db: { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] },
};

function watched(more = '', forwarders?: ConstructorParameters<typeof Scene>[2]): Scene {
  const scene = new Scene(manifests + more, undefined, forwarders);
  scene.report('n1', [links.web, links.batch, links.evil]);
  scene.report('n2', [links.db]);
  return scene;
}

/** Leaves evil's interface with the source address of batch, and reaches db. */
const forged = (change: Partial<ConnectionRecord> = {}) => record({ initiator: batch, interfaceIndex: 66, ...change });

function shown(scene: Scene) {
  return [...scene.findings.values()].map(
    ({ kind, severity, initiator, evidence }) =>
      `${kind} ${severity} ${initiator.workload}${evidence.sourceAddress === undefined ? '' : ` as ${evidence.sourceAddress}`}`,
  );
}

t.test('a pod that sends with the address of another is found under its own name, delivered or not', async (t) => {
  for (const [name, delivered, order, expected] of [
    ['delivered', true, 'source first', 'spoofed critical evil as 10.0.1.7'],
    ['delivered', true, 'destination first', 'spoofed critical evil as 10.0.1.7'],
    ['not delivered', false, 'source first', 'spoofed high evil as 10.0.1.7'],
  ] as const) {
    const scene = watched();
    const see = [() => scene.see('n1', forged()), () => delivered && scene.see('n2', atDestination(forged()))];
    for (const one of order === 'source first' ? see : see.reverse()) one();
    scene.pass(15 * second);
    t.same(shown(scene), [expected], `${name}, ${order}`);
    t.equal(scene.connections.size, 1);
    t.match([...scene.connections.values()], [{ initiator: { pod: 'evil' }, verdict: 'denied' }]);
  }
});

t.test('the owner of the address keeps its own connections and their verdicts', async (t) => {
  const scene = watched();
  scene.see('n1', forged({ initiatorPort: 1 }), answered({ initiator: batch, interfaceIndex: 8, initiatorPort: 2 }));
  scene.see('n2', atDestination(forged({ initiatorPort: 1 })));
  scene.see('n2', atDestination(answered({ initiator: batch, initiatorPort: 2 })));
  scene.pass(15 * second);
  t.same(shown(scene), ['spoofed critical evil as 10.0.1.7']);
  t.match(
    [...scene.connections.values()].find(({ initiatorPort }) => initiatorPort === 2),
    {
      initiator: { pod: 'batch' },
      verdict: 'allowed',
      delivered: { delivered: 'yes' },
    },
  );
});

t.test(
  'both send the same ports at once: it is not known whose packets arrived, and nobody is accused of a bypass',
  async (t) => {
    const scene = new Scene(`${pods}---${ingressPolicy('db', 'web')}`);
    scene.report('n1', [links.web, links.batch, links.evil]);
    scene.report('n2', [links.db]);
    const udp = { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 } };
    const [own, spoofed] = [record({ ...udp, initiator: batch, interfaceIndex: 8 }), forged(udp)];
    scene.see('n1', own, spoofed);
    scene.see('n2', atDestination(own));
    scene.pass(15 * second);
    t.notOk(
      shown(scene).some((one) => one.startsWith('bypass')),
      shown(scene).join(', '),
    );
    t.ok(shown(scene).some((one) => one.startsWith('spoofed')));
  },
);

t.test('the sequence number shows whose packets arrived', async (t) => {
  const scene = new Scene(`${pods}---${ingressPolicy('db', 'web')}`);
  scene.report('n1', [links.web, links.batch, links.evil]);
  scene.report('n2', [links.db]);
  const own = record({ initiator: batch, interfaceIndex: 8, isn: 1 });
  scene.see('n1', own, forged({ isn: 2 }));
  scene.see('n2', atDestination(forged({ isn: 2 })));
  scene.pass(15 * second);
  t.same(shown(scene).sort(), ['blocked medium batch', 'spoofed critical evil as 10.0.1.7']);
});

t.test('severity follows whose address it is', async (t) => {
  const service = `---
apiVersion: v1
kind: Service
metadata: { name: sql, namespace: shop }
spec: { clusterIP: 10.96.0.10, externalIPs: [198.51.100.10], ports: [{ port: 5432 }], selector: { app: db } }
`;
  const cases: [string, string, string[]][] = [
    ['a node', '192.0.2.2', ['spoofed critical evil as 192.0.2.2']],
    ['a Service of others', '198.51.100.10', ['spoofed critical evil as 198.51.100.10']],
    ['nobody', '203.0.113.99', ['foreign-source low evil as 203.0.113.99']],
    ['loopback', '127.0.0.1', ['foreign-source low evil as 127.0.0.1']],
    ['nobody, in the pod range', '10.0.1.250', ['foreign-source low evil as 10.0.1.250']],
    ['unspecified', '0.0.0.0', ['blocked medium evil']],
    ['link-local', '169.254.3.3', ['blocked medium evil']],
  ];
  for (const [name, address, expected] of cases) {
    const scene = watched(service);
    scene.see('n1', forged({ initiator: ip(address) }));
    scene.see('n2', atDestination(forged({ initiator: ip(address) })));
    scene.pass(15 * second);
    t.same(shown(scene), expected, name);
  }
  const local = watched();
  local.see('n1', forged({ initiator: ip('169.254.3.3') }));
  local.pass(15 * second);
  t.match([...local.connections.values()], [{ delivered: { delivered: 'unknown', why: 'source-not-unique' } }]);
});

t.test('what is no forgery: direct server return, further networks, lone FIN or RST, forwarders', async (t) => {
  const vip = ip('198.51.100.10');
  const selects = `---
apiVersion: v1
kind: Service
metadata: { name: evil, namespace: shop }
spec: { clusterIP: 10.96.0.11, externalIPs: [${vip}], ports: [{ port: 80 }], selector: { app: evil } }
`;
  const outside = ip('203.0.113.5');
  const dsr = answered({
    point: 'destination',
    interfaceIndex: 66,
    initiator: outside,
    responder: vip,
    responderPort: 80,
  });
  const direct = watched(selects);
  direct.see('n1', dsr);
  direct.pass(15 * second);
  t.notOk(
    shown(direct).some((one) => /spoofed|foreign/.test(one)),
    'the address of a Service that selects the pod',
  );

  for (const [name, change] of [
    ['RST', { tcpFlags: { forward: RST | ACK, reverse: 0 }, initiatorBy: 'inferred' }],
    ['FIN', { tcpFlags: { forward: FIN | ACK, reverse: 0 }, initiatorBy: 'inferred' }],
    ['ICMP errors only', { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 }, unreachable: true }],
  ] as [string, Partial<ConnectionRecord>][]) {
    const lone = watched();
    lone.see('n1', forged(change));
    lone.pass(15 * second);
    t.same(
      shown(lone).filter((one) => one.startsWith('spoofed')),
      [],
      name,
    );
  }

  const status = JSON.stringify([{ name: 'blue', ips: ['10.50.0.5', '10.0.1.7'] }]);
  const annotated = podManifest('evil', 'n1', evil).replace(
    'uid: uid-evil,',
    `uid: uid-evil, annotations: { k8s.v1.cni.cncf.io/network-status: '${status}' },`,
  );
  const multi = watched(`---${annotated}`);
  multi.see('n1', forged({ initiator: ip('10.50.0.5'), initiatorPort: 1 }), forged({ initiatorPort: 2 }));
  multi.pass(15 * second);
  t.same(
    shown(multi).filter((one) => /spoofed|foreign/.test(one)),
    ['spoofed high evil as 10.0.1.7'],
    'not the address of another pod',
  );

  const range = parsePrefix('10.8.0.0/16')!;
  const client = forged({ initiator: ip('10.8.0.5') });
  const named = watched('', { prefixes: { 'shop/evil': [range] }, annotatedNamespaces: [] });
  named.see('n1', client);
  named.see('n2', atDestination(client));
  named.pass(15 * second);
  t.notOk(shown(named).some((one) => /spoofed|foreign/.test(one)));
  t.match([...named.connections.values()], [{ initiator: { kind: 'external', ip: '10.8.0.5' } }]);

  const calico = 'cni.projectcalico.org/allowedSourcePrefixes';
  for (const [annotation, namespace, expected] of [
    ['waybill.io/forwards: 10.8.0.0/16', 'shop', []],
    ['waybill.io/forwards: 10.8.0.0/16', 'vpn', ['foreign-source low evil as 10.8.0.5']],
    [`${calico}: '["10.8.0.0/16", "192.0.2.77"]'`, 'shop', []],
    [`${calico}: '["192.0.2.77", "10.8.0.5"]'`, 'shop', []],
    [`${calico}: '["10.8.0.0/16"]'`, 'vpn', ['foreign-source low evil as 10.8.0.5']],
    [`${calico}: '["10.9.0.0/16"]'`, 'shop', ['foreign-source low evil as 10.8.0.5']],
    [`${calico}: 10.8.0.0/16`, 'shop', ['foreign-source low evil as 10.8.0.5']],
  ] as const) {
    const claims = podManifest('evil', 'n1', evil).replace(
      'uid: uid-evil,',
      `uid: uid-evil, annotations: { ${annotation} },`,
    );
    const scene = watched(`---${claims}`, { prefixes: {}, annotatedNamespaces: [namespace] });
    scene.see('n1', client);
    scene.pass(15 * second);
    t.same(
      shown(scene).filter((one) => /spoofed|foreign/.test(one)),
      expected,
      `${annotation} counts only in ${namespace}`,
    );
  }
});

t.test('a Service gives a pod no address of another pod, of a node or of another Service', async (t) => {
  const service = (name: string, clusterIp: string, external: string, app: string) => `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { clusterIP: ${clusterIp}, externalIPs: [${external}], ports: [{ port: 80 }], selector: { app: ${app} } }
`;
  for (const [name, address] of [
    ['of another pod', batch],
    ['of a node', '192.0.2.2'],
    ['the cluster address of another Service', '10.96.0.20'],
  ] as const) {
    const claiming = service('evil', '10.96.0.11', address, 'evil');
    const other = service('sql', '10.96.0.20', '198.51.100.20', 'db');
    for (const services of [claiming + other, other + claiming]) {
      const scene = watched(services);
      scene.see('n1', forged({ initiator: ip(address) }));
      scene.see('n2', atDestination(forged({ initiator: ip(address) })));
      scene.pass(15 * second);
      t.same(shown(scene), [`spoofed critical evil as ${address}`], name);
    }
  }
});

t.test(
  'an endpoint of a Service answers with its address, ready or not, and also from another namespace',
  async (t) => {
    const vip = ip('198.51.100.10');
    const serviceIn = (namespace: string, selector: string, endpoint: string) => `---
apiVersion: v1
kind: Service
metadata: { name: direct, namespace: ${namespace} }
spec: { clusterIP: 10.96.0.11, externalIPs: [${vip}], ports: [{ port: 80 }]${selector} }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: direct-1, namespace: ${namespace}, labels: { kubernetes.io/service-name: direct } }
addressType: IPv4
endpoints: [${endpoint}]
ports: [{ port: 80, protocol: TCP }]
`;
    const seen = answered({
      point: 'destination',
      interfaceIndex: 66,
      initiator: ip('203.0.113.5'),
      responder: vip,
      responderPort: 80,
    });
    const [ready, notReady] = [`{ addresses: [${evil}] }`, `{ addresses: [${evil}], conditions: { ready: false } }`];
    for (const [name, manifests, isOwn] of [
      ['ready', serviceIn('shop', '', ready), true],
      ['not ready', serviceIn('shop', '', notReady), true],
      ['in another namespace', serviceIn('edge', '', ready), true],
      ['not ready, in another namespace', serviceIn('edge', '', notReady), true],
      ['listed beside a selector', serviceIn('shop', ', selector: { app: db }', notReady), true],
      ['of somebody else', serviceIn('shop', '', '{ addresses: [10.0.2.3] }'), false],
      ['selected in another namespace', serviceIn('edge', ', selector: { app: evil }', ''), false],
    ] as const) {
      const scene = watched(manifests);
      scene.see('n1', seen);
      scene.pass(15 * second);
      t.equal(
        shown(scene).some((one) => /spoofed|foreign/.test(one)),
        !isOwn,
        `${name}: ${shown(scene).join(', ')}`,
      );
    }

    const removed = watched(serviceIn('shop', '', ready));
    removed.see('n1', { ...seen, ended: true });
    removed.pass(15 * second);
    removed.put(serviceIn('shop', '', '{ addresses: [10.0.2.3] }').split('---').at(-1)!);
    removed.see('n1', { ...seen, firstUs: t0 + second, lastUs: t0 + second, ended: true });
    removed.pass(15 * second);
    t.notOk(
      shown(removed).some((one) => /spoofed|foreign/.test(one)),
      'it was an endpoint then',
    );
  },
);

t.test('a new pod is judged again when its addresses are known for 10 s', async (t) => {
  const scene = watched();
  scene.pass(20 * second);
  scene.put(podManifest('job', 'n1', '10.0.1.30'));
  scene.report('n1', [links.web, links.batch, { index: 30, podUid: 'uid-job', addresses: ['10.0.1.30'] }]);
  const at = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  scene.see('n1', forged({ ...at, interfaceIndex: 30 }));
  scene.pass(5 * second);
  t.notOk(
    shown(scene).some((one) => one.startsWith('spoofed')),
    'the API server may report another address later',
  );
  scene.pass(8 * second);
  t.ok(shown(scene).includes('spoofed high job as 10.0.1.7'), shown(scene).join(', '));
});

t.test('forged answers and resets do not make a connection delivered, and a forged answer is found', async (t) => {
  const scene = watched();
  // web is denied and blocked; evil sends it a SYN-ACK from the address of db.
  const atWeb = answered({ isn: 5 });
  const atEvil = record({
    point: 'destination',
    interfaceIndex: 66,
    packets: { forward: 0, reverse: 1 },
    tcpFlags: { forward: 0, reverse: SYN | ACK },
    isn: 5,
  });
  scene.see('n1', atEvil, atWeb);
  scene.pass(15 * second);
  t.same(shown(scene).sort(), ['blocked medium web', 'spoofed high evil as 10.0.2.3']);
  t.match(
    [...scene.connections.values()].find(({ initiator }) => initiator.pod === 'web'),
    {
      delivered: { delivered: 'unknown', why: 'answered-in-between' },
    },
  );
  const refused = watched();
  refused.see('n1', reset());
  refused.pass(15 * second);
  t.same(shown(refused), ['blocked medium web']);
});

t.test('an answer that nobody asked for is no attempt of the pod that gets it', async (t) => {
  const toClient = { forward: 0, reverse: 1 };
  const answers = {
    'RST and ACK': { tcpFlags: { forward: 0, reverse: RST | ACK }, packets: toClient },
    'RST and ACK, refused': { tcpFlags: { forward: RST, reverse: RST | ACK }, packets: { forward: 1, reverse: 1 } },
    'SYN-ACK, refused': {
      ...{ tcpFlags: { forward: RST, reverse: SYN | ACK }, packets: { forward: 1, reverse: 1 }, isn: 1 },
      ...{ beganUs: t0 + 10 },
    },
    'SYN-ACK': { tcpFlags: { forward: 0, reverse: SYN | ACK }, packets: toClient },
    UDP: { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 }, packets: toClient, answered: true },
  } satisfies Record<string, Partial<ConnectionRecord>>;
  for (const [name, answer] of Object.entries(answers)) {
    const scene = watched();
    scene.see('n1', record({ ...answer, bytes: { forward: 54, reverse: 54 } }));
    scene.pass(15 * second);
    t.same(shown(scene), [], name);
    const { verdict, unknownReason } = [...scene.connections.values()][0]!;
    t.match({ verdict, unknownReason }, { verdict: 'unknown', unknownReason: /did not send/ }, name);
    const forgedFor = watched();
    const sent = 'protocol' in answer ? { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 } } : { isn: 1 };
    forgedFor.see('n1', forged(sent), record({ ...answer, initiator: batch, interfaceIndex: 8, beganUs: t0 + 50 }));
    forgedFor.see('n2', atDestination(forged({ ...answer, ...sent, packets: { forward: 1, reverse: 1 } })));
    forgedFor.pass(15 * second);
    t.same(shown(forgedFor), ['spoofed critical evil as 10.0.1.7'], `answer to a forged packet: ${name}`);
  }
  const first = { initiatorBy: 'inferred', responderFirst: true } as const;
  const noFlags = { tcpFlags: { forward: RST | ACK, reverse: 0 }, packets: { forward: 200, reverse: 200 }, ...first };
  for (const [name, change, expected] of [
    ['a segment without ACK', noFlags, []],
    ['resets without an end', { ...noFlags, tcpFlags: { forward: RST, reverse: ACK } }, []],
    ['the pod began', { ...noFlags, responderFirst: false }, ['blocked medium web']],
    ['it sent more than it got', { ...noFlags, packets: { forward: 201, reverse: 200 } }, ['blocked medium web']],
  ] as const) {
    const scene = watched();
    scene.see('n1', record({ ...change, bytes: { forward: 200 * 54, reverse: 200 * 54 } }));
    scene.pass(15 * second);
    t.same(shown(scene), expected, name);
  }
  const echo = { protocol: ICMP, tcpFlags: { forward: 0, reverse: 0 }, initiatorPort: 0, responderPort: 0 };
  const replyFirst = record({ ...echo, packets: { forward: 5, reverse: 6 }, answered: true, responderFirst: true });
  const pinged = watched();
  pinged.see('n1', replyFirst);
  pinged.see('n2', atDestination(replyFirst));
  pinged.pass(15 * second);
  t.same(shown(pinged), [], 'an echo reply before the requests');
  const withData = watched();
  const reset = { tcpFlags: { forward: RST, reverse: RST | ACK }, packets: { forward: 1, reverse: 1 } };
  withData.see('n1', record({ ...reset, bytes: { forward: 1_400, reverse: 54 } }));
  withData.pass(15 * second);
  t.same(shown(withData), ['blocked medium web'], 'a reset with data');
});

t.test('nobody is accused by forged packets of an unwatched sender, whose answers a pod refuses', async (t) => {
  const onBoth = { packets: { forward: 2, reverse: 1 } };
  const tcp = record({ tcpFlags: { forward: SYN | RST, reverse: SYN | ACK }, ...onBoth, isn: 7 });
  const refused = record({ tcpFlags: { forward: RST, reverse: SYN | ACK }, packets: { forward: 1, reverse: 1 } });
  const noFlags = { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 } };
  const udp = record({ ...noFlags, ...onBoth, answered: true });
  const icmpErrors = record({
    ...{ ...noFlags, initiator: udp.responder, responder: udp.initiator, point: 'destination', unreachable: true },
    ...{ initiatorPort: udp.responderPort, responderPort: udp.initiatorPort, packets: { forward: 1, reverse: 1 } },
  });
  for (const [name, atVictim, atResponder] of [
    ['TCP', refused, tcp],
    ['UDP', icmpErrors, udp],
  ] as const) {
    for (const order of ['victim first', 'responder first']) {
      const scene = watched();
      if (order === 'victim first') scene.see('n1', { ...atVictim, interfaceIndex: 7 });
      scene.see('n2', atDestination(atResponder));
      if (order !== 'victim first') scene.see('n1', { ...atVictim, interfaceIndex: 7 });
      scene.pass(15 * second);
      t.same(shown(scene), [], `${name}, ${order}`);
    }
  }
});

t.test(
  'forged answers may be among the packets of the real connection, so they are not called undelivered',
  async (t) => {
    const dns = { protocol: UDP, initiator: ip('10.0.1.2'), initiatorPort: 25_000, responder: ip('10.0.2.3') };
    const asked = { tcpFlags: { forward: 0, reverse: 0 }, packets: { forward: 1, reverse: 2 }, answered: true };
    const [original, service] = [{ ...dns, responderPort: 53 }, ip('10.96.0.10')];
    const translation = {
      original: { ...original, responder: service },
      translated: original,
    };
    for (const [name, atClient] of [
      ['plain', record({ ...original, ...asked, interfaceIndex: 7 })],
      ['to a Service', record({ ...translation.original, protocol: UDP, ...asked, interfaceIndex: 7, translation })],
    ] as const) {
      for (const order of ['first', 'last']) {
        const scene = watched();
        const answer = record({
          ...{ protocol: UDP, interfaceIndex: 66, tcpFlags: { forward: 0, reverse: 0 }, initiatorBy: 'inferred' },
          ...{ initiator: original.initiator, initiatorPort: original.initiatorPort, point: 'destination' },
          ...{ responder: original.responder, responderPort: 53, packets: { forward: 0, reverse: 1 } },
        });
        if (order === 'first') scene.see('n1', answer);
        scene.see('n1', atClient);
        scene.see('n2', atDestination(record({ ...original, ...asked, packets: { forward: 1, reverse: 1 } })));
        if (order === 'last') scene.see('n1', answer);
        scene.pass(15 * second);
        const spoofed = [...scene.connections.values()].find(
          ({ initiator }) => 'pod' in initiator && initiator.pod === 'evil',
        );
        t.match(spoofed, { delivered: { delivered: 'unknown', why: 'sender-ambiguous' } }, `${name}, ${order}`);
      }
    }
  },
);

t.test('packets to other addresses at an interface prove nothing and are no connection', async (t) => {
  const scene = watched();
  // A bridge without a forwarding table sends web's packets for db to evil too.
  scene.see('n1', record(), { ...record(), point: 'destination', interfaceIndex: 66 });
  scene.pass(15 * second);
  t.same(shown(scene), ['blocked medium web']);
  t.equal(scene.connections.size, 1);
  t.match([...scene.connections.values()], [{ delivered: { delivered: 'no' } }]);
  t.equal(scene.pipeline.counts.notOurs, 1);
});

t.test('a bypass needs the packets at the interface of the pod that it names, wherever that was watched', async (t) => {
  const denied = { initiator: ip('10.0.1.2') };
  const cases: [string, (scene: Scene) => void, string[]][] = [
    ['watched, and they were not there', () => undefined, []],
    ['not watched', (scene) => scene.report('n1', [links.batch, links.evil]), ['bypass critical web']],
    [
      'half visible',
      (scene) => scene.report('n1', [{ ...links.web, seesFromPod: false }, links.batch, links.evil]),
      ['bypass critical web'],
    ],
  ];
  for (const [name, prepare, expected] of cases) {
    const scene = watched();
    prepare(scene);
    scene.see('n2', atDestination(answered(denied)));
    scene.pass(15 * second);
    t.same(shown(scene), expected, name);
    if (expected.length === 0)
      t.match(
        [...scene.connections.values()],
        [{ verdict: 'unknown', unknownReason: /was watched, and did not send/ }],
      );
  }
});

t.test('a source address of one protocol family gives the address of the same family', async (t) => {
  const scene = watched();
  scene.see('n1', forged({ protocol: TCP, beganUs: t0 }));
  scene.pass(15 * second);
  t.match([...scene.connections.values()], [{ initiator: { ip: evil }, foreignSource: { address: batch, of: 'pod' } }]);
});

t.test(
  'a change of another object changes nothing about a forwarder, or about a sender that was not seen',
  async (t) => {
    const range = parsePrefix('10.0.2.0/24')!;
    const far = `---${podManifest('src', 'n2', '10.0.2.50')}`;
    const through = watched(far, { prefixes: { 'shop/evil': [range] }, annotatedNamespaces: [] });
    through.pass(30 * second);
    const at = { beganUs: through.nowUs, firstUs: through.nowUs, lastUs: through.nowUs };
    const forwarded = answered({ ...at, initiator: ip('10.0.2.50'), interfaceIndex: 66, podUid: 'uid-evil' });
    through.see('n1', forwarded);
    through.see('n2', { ...atDestination(forwarded), podUid: 'uid-db' });
    through.put(podManifest('other', 'n1', '10.0.1.77'));
    through.pass(30 * second);
    t.same(shown(through), ['bypass critical src']);

    const framed = watched();
    framed.pass(30 * second);
    const start = framed.nowUs;
    const interval = (us: number) => ({ beganUs: start, firstUs: start + us, lastUs: start + us + second });
    framed.see('n2', atDestination(answered(interval(0))));
    framed.pass(15 * second);
    framed.put(podManifest('other', 'n1', '10.0.1.77'));
    framed.see('n2', atDestination(answered(interval(14 * second))));
    framed.pass(30 * second);
    t.same(shown(framed), [], 'what is unknown is not grandfathered');
  },
);

t.test('a FIN or an ICMP error among many packets hides no forged data', async (t) => {
  for (const change of [
    { tcpFlags: { forward: ACK | FIN, reverse: 0 }, initiatorBy: 'inferred' },
    { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 }, unreachable: true },
  ] as Partial<ConnectionRecord>[]) {
    const scene = watched();
    scene.see('n1', forged({ ...change, packets: { forward: 1000, reverse: 0 } }));
    scene.pass(15 * second);
    t.ok(shown(scene).some((one) => one.startsWith('spoofed')));
  }
});

t.test('ports of DHCP, and ICMPv6 without an identifier, hide nothing that leaves the node', async (t) => {
  const egress = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [] }
`;
  const none = { tcpFlags: { forward: 0, reverse: 0 }, packets: { forward: 9, reverse: 9 }, answered: true };
  for (const change of [
    { protocol: UDP, responder: ip('203.0.113.5'), initiatorPort: 68, responderPort: 67 },
    { protocol: 58, initiator: ip('fd00::2'), responder: ip('2001:db8::5'), initiatorPort: 0, responderPort: 0 },
  ]) {
    const scene = watched(
      `${egress}---${podManifest('web', 'n1', '10.0.1.2').replace('podIPs: [', 'podIPs: [{ ip: "fd00::2" }, ')}`,
    );
    scene.see('n1', record({ ...none, ...change }));
    scene.pass(15 * second);
    t.match(shown(scene), [/^bypass critical web/], String(change.protocol));
  }
});
