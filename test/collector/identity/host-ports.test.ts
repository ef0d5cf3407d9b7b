import t from 'tap';
import { HostPorts } from '../../../collector/identity/host-ports.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import { pod } from '../../scene/pods.ts';
import { ip, second, t0 } from '../../scene/records.ts';

const onHost = { hostNetwork: true, ports: [{ name: 'metrics', port: 9100, protocol: TCP }] };

t.test('a port of a node belongs to the host-network pod that declares it, for as long as it runs', async (t) => {
  const ports = new HostPorts();
  ports.put(pod('exporter', onHost), 0, 'initial');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0), 'exporter');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), UDP, 9100, t0), undefined, 'another protocol');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9101, t0), undefined, 'another port');
  t.equal(ports.uidAt('n2', ip('192.0.2.1'), TCP, 9100, t0), undefined, 'another node');
  ports.remove(pod('exporter', onHost), t0 + second);
  ports.put(pod('newer', onHost), t0 + 3 * second, 'change');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0), 'exporter', 'at the time of the connection');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0 + 2 * second), undefined);
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0 + 4 * second), 'newer');
});

t.test('a pod that gets a node, other ports, or ends, changes its host ports', async (t) => {
  const ports = new HostPorts();
  ports.put(pod('exporter', { ...onHost, node: '' }), t0, 'change');
  t.equal(ports.uidAt('', ip('192.0.2.1'), TCP, 9100, t0 + second), undefined);
  ports.put(pod('exporter', onHost), t0 + second, 'change');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0 + second), 'exporter');
  ports.put(pod('exporter', { ...onHost, endedUs: t0 + 2 * second }), t0 + 5 * second, 'change');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0 + 1.5 * second), 'exporter');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0 + 3 * second), undefined);
});

t.test(
  'a pod with its own network has only the ports that it declares as host ports, at one address or at all',
  async (t) => {
    const [internal, external] = [ip('192.0.2.1'), ip('203.0.113.1')];
    const port = { name: 'http', port: 8080, protocol: TCP };
    const ports = new HostPorts();
    ports.put(pod('exporter', onHost), 0, 'initial');
    t.equal(ports.used, false, 'a host-network pod is its node');
    ports.remove(pod('exporter', onHost), 0);
    ports.put(
      pod('gate', {
        ports: [
          { ...port, hostPort: { port: 80 } },
          { ...port, port: 9100 },
        ],
      }),
      0,
      'initial',
    );
    ports.put(pod('inner', { ports: [{ ...port, hostPort: { port: 443, ip: internal } }] }), 0, 'initial');
    ports.put(pod('outer', { ports: [{ ...port, hostPort: { port: 443, ip: external } }] }), 0, 'initial');
    t.equal(ports.used, true);
    t.equal(ports.uidAt('n1', internal, TCP, 80, t0), 'gate');
    t.equal(ports.uidAt('n1', external, TCP, 80, t0), 'gate');
    t.equal(ports.uidAt('n1', internal, TCP, 443, t0), 'inner');
    t.equal(ports.uidAt('n1', external, TCP, 443, t0), 'outer');
    t.equal(ports.uidAt('n1', ip('192.0.2.9'), TCP, 443, t0), undefined, 'another address');
    t.equal(ports.uidAt('n1', internal, TCP, 8080, t0), undefined, 'a container port');
    t.equal(ports.uidAt('n1', internal, TCP, 9100, t0), undefined, 'no host port');
    t.equal(ports.uidAt('n2', internal, TCP, 80, t0), undefined, 'another node');
    ports.remove(pod('gate'), t0 + second);
    t.equal(ports.uidAt('n1', internal, TCP, 80, t0), 'gate', 'at the time of the connection');
    t.equal(ports.uidAt('n1', internal, TCP, 80, t0 + 2 * second), undefined);
  },
);

t.test('a pod with its own network and without a hostPort has no host ports', async (t) => {
  const ports = new HostPorts();
  ports.put(pod('web', { ...onHost, hostNetwork: false }), 0, 'initial');
  t.equal(ports.uidAt('n1', ip('192.0.2.1'), TCP, 9100, t0), undefined);
});
