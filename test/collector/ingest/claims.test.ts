// What an agent claims about pods and addresses counts only as far as the cluster's objects prove it, whatever arrives first.
import t from 'tap';
import { dbLink, shopWith, webLink } from '../../scene/claims.ts';
import { ingressPolicy, podManifest, Scene } from '../../scene/pipeline.ts';
import { answered, atDestination, db, ip, second, t0 } from '../../scene/records.ts';

const denied = `${shopWith('n3')}---${ingressPolicy('db', 'api')}`;
const job = podManifest('job', 'n1', '10.0.1.9');
const jobLink = { index: 70, podUid: 'uid-job', addresses: ['10.0.1.9'] };
const fromJob = { initiator: ip('10.0.1.9'), interfaceIndex: 70, podUid: 'uid-job' };

t.test('a Job of one second gets its finding, though the API server reports it after it ended', async (t) => {
  const scene = new Scene(denied);
  scene.report('n1', [webLink, jobLink]);
  scene.report('n2', [dbLink]);
  scene.see('n1', answered({ ...fromJob, responder: ip('203.0.113.9') }));
  scene.pass(2 * second);
  t.match([...scene.connections.values()], [{ initiator: { kind: 'unknown' }, verdict: 'unknown' }], 'not known yet');
  t.same(scene.kinds(), []);
  scene.put(job);
  scene.gone(job);
  scene.pass(20 * second);
  t.match([...scene.findings.values()], [{ kind: 'undeclared', severity: 'high', initiator: { pod: 'job' } }]);
});

t.test('a claim about a pod that turns out to run on another node names nobody, before and after', async (t) => {
  const scene = new Scene(denied);
  scene.report('n3', [{ ...jobLink, index: 30 }]);
  scene.report('n2', [dbLink]);
  scene.see('n3', answered({ ...fromJob, interfaceIndex: 30 }));
  scene.pass(2 * second);
  scene.put(job);
  scene.pass(20 * second);
  t.match([...scene.connections.values()], [{ initiator: { kind: 'unknown' }, verdict: 'unknown' }]);
  t.same(scene.kinds(), []);
  t.match(scene.agents.all().find(({ node }) => node === 'n3')?.refusedClaims.counts, { pods: 1 });
});

t.test('refused claims stay counted when the agent that made them has gone', async (t) => {
  const scene = new Scene(denied);
  const refusedAt = (node: string) => scene.agents.all().find((one) => one.node === node)?.refusedClaims.counts;
  scene.report('n3', []);
  scene.report('n3', [{ index: 30, podUid: 'uid-web' }], [], {}, 'liar');
  t.match(refusedAt('n3'), { pods: 1 });
  scene.agents.disconnected('n3', 'liar');
  scene.nowUs += 120 * second;
  scene.report('n3', []);
  t.equal(scene.agents.all().find((one) => one.node === 'n3')?.instance, 'n3');
  t.match(refusedAt('n3'), { pods: 1 });
});

t.test(
  'a connection that only the other end saw is not given to a pod by the address of a refused claim',
  async (t) => {
    const scene = new Scene(denied);
    scene.report('n2', [dbLink]);
    scene.report('n3', [{ index: 30, podUid: 'uid-web', addresses: ['10.0.1.77'] }]);
    scene.see('n2', { ...atDestination(answered({ initiator: ip('10.0.1.77') })), podUid: 'uid-db' });
    scene.pass(20 * second);
    for (const { initiator } of scene.connections.values()) t.not(initiator.pod, 'web');
  },
);

t.test('an address that is only inside the pod is not proven, and the pod is still known by its own', async (t) => {
  const scene = new Scene(denied);
  scene.report('n3', [{ index: 5, podUid: 'uid-batch', addresses: ['10.0.3.4', '10.0.2.3'] }]);
  t.equal(scene.agents.interfaceOf('', ip('10.0.3.4'))?.node, 'n3');
  t.equal(scene.agents.interfaceOf('', db), undefined, 'not the address of another pod');
  scene.report('n2', [dbLink]);
  t.equal(scene.agents.interfaceOf('', db)?.node, 'n2');
  scene.report('n3', [{ index: 5, podUid: 'uid-batch', addresses: ['10.0.3.4', '10.0.2.3'] }]);
  t.equal(scene.agents.interfaceOf('', db)?.node, 'n2', 'also if the claim is the latest');
  t.match(scene.agents.all().find(({ node }) => node === 'n3')?.refusedClaims.counts, { pods: 0, podAddresses: 1 });
});

t.test('however many interfaces of one node claim an address, that of the pod is found', async (t) => {
  const scene = new Scene(denied);
  const claims = Array.from({ length: 40 }, (_, i) => ({ index: i + 1, addresses: ['10.0.2.3'] }));
  scene.report('n3', claims);
  scene.report('n2', [dbLink]);
  t.equal(scene.agents.interfaceOf('', db)?.node, 'n2');
});

t.test('an agent cannot say that it watched the pod of another node', async (t) => {
  const scene = new Scene(denied);
  scene.report('n3', [{ ...dbLink, index: 30 }]);
  t.equal(scene.agents.interfaceOf('uid-db', db), undefined);
  scene.report('n2', [dbLink]);
  t.equal(scene.agents.interfaceOf('uid-db', db)?.node, 'n2');
});

t.test('a pod keeps its proof after it ended and was deleted', async (t) => {
  const scene = new Scene(denied);
  scene.report('n2', [dbLink]);
  scene.gone(podManifest('db', 'n2', '10.0.2.3'));
  t.equal(scene.agents.interfaceOf('uid-db', db)?.node, 'n2');
  t.equal(scene.agents.judgePod('n2', 'uid-db'), 'proven');
});

t.test('a pod without a node, and a pod on the host network, prove nothing', async (t) => {
  const scene = new Scene(denied);
  t.equal(scene.agents.judgePod('n1', 'uid-job'), 'pending', 'not known');
  scene.put(podManifest('job', '', ''));
  t.equal(scene.agents.judgePod('n1', 'uid-job'), 'pending', 'not scheduled');
  scene.put(podManifest('job', 'n1', '10.0.1.9'));
  t.equal(scene.agents.judgePod('n1', 'uid-job'), 'proven');
  scene.put(podManifest('proxy', 'n1', '192.0.2.1', ', hostNetwork: true'));
  t.equal(scene.agents.judgePod('n1', 'uid-proxy'), 'refused');
});

t.test('what an agent says of the future counts as of now', async (t) => {
  const scene = new Scene(denied);
  scene.report('n2', [dbLink]);
  scene.agents.advanceCoverage(
    { ...message, node: 'n2', instance: 'n2', coveredUntilUs: t0 + 3600 * second },
    scene.nowUs,
  );
  t.equal(scene.agents.reportingAgent('n2', scene.nowUs)?.coveredUntilUs, t0);
});

const message = { sequence: 0, sentUs: t0, state: null, records: null, names: null };

t.test('node addresses: of the Node object, of nobody else, and never of somebody else', async (t) => {
  const scene = new Scene(`${denied}---${service}`);
  const addresses = [
    '192.0.2.3',
    '10.0.3.1',
    '10.77.0.1',
    '203.0.113.9',
    '192.0.2.2',
    '10.0.1.2',
    '10.96.0.9',
    '169.254.169.254',
  ];
  scene.report('n3', [], addresses);
  const of = (address: string, ...observers: string[]) => scene.agents.nodeOf(ip(address), observers);
  t.equal(of('192.0.2.3'), 'n3', 'in its Node object');
  t.equal(of('10.0.3.1'), 'n3', 'in its podCIDR');
  t.equal(of('10.77.0.1'), 'n3', 'a private address that nobody else has');
  t.equal(of('203.0.113.9'), undefined, 'a public one, for pods of other nodes');
  t.equal(of('203.0.113.9', 'n3'), 'n3', 'a public one, for its own pods');
  t.equal(of('192.0.2.2', 'n3'), undefined, 'of another node');
  t.equal(of('10.0.1.2', 'n3'), undefined, 'of a pod');
  t.equal(of('10.96.0.9', 'n3'), undefined, 'of a Service');
  t.equal(of('169.254.169.254', 'n3'), undefined, 'the cloud metadata');
  t.equal(scene.agents.all()[0]?.refusedClaims.counts.nodeAddresses, 2, 'honest agents report addresses of Services');
  scene.report('n2', [], ['10.0.3.1', '10.77.0.1']);
  t.equal(of('10.0.3.1'), 'n3', 'the podCIDR decides between two');
  t.equal(of('10.77.0.1'), undefined, 'nothing decides');
  t.equal(of('10.77.0.1', 'n2'), 'n2', 'an agent is believed about its own pods');
});

t.test(
  'a podCIDR never refuses: an address in that of another node is believed if nobody else claims it',
  async (t) => {
    const scene = new Scene(denied);
    scene.report('n3', [], ['10.0.1.200']);
    t.equal(scene.agents.nodeOf(ip('10.0.1.200'), []), 'n3');
  },
);

const service = `
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], ports: [{ port: 5432 }] }
`;
