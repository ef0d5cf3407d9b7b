import t from 'tap';
import { HostPorts } from '../../../collector/identity/host-ports.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import { pod } from '../../scene/pods.ts';
import { second, t0 } from '../../scene/records.ts';

const onHost = { hostNetwork: true, ports: [{ name: 'metrics', port: 9100, protocol: TCP }] };

t.test('a port of a node belongs to the host-network pod that declares it, for as long as it runs', async (t) => {
  const ports = new HostPorts();
  ports.put(pod('exporter', onHost), 0, 'initial');
  t.equal(ports.uidAt('n1', TCP, 9100, t0), 'exporter');
  t.equal(ports.uidAt('n1', UDP, 9100, t0), undefined, 'another protocol');
  t.equal(ports.uidAt('n1', TCP, 9101, t0), undefined, 'another port');
  t.equal(ports.uidAt('n2', TCP, 9100, t0), undefined, 'another node');
  ports.remove(pod('exporter', onHost), t0 + second);
  ports.put(pod('newer', onHost), t0 + 3 * second, 'change');
  t.equal(ports.uidAt('n1', TCP, 9100, t0), 'exporter', 'at the time of the connection');
  t.equal(ports.uidAt('n1', TCP, 9100, t0 + 2 * second), undefined);
  t.equal(ports.uidAt('n1', TCP, 9100, t0 + 4 * second), 'newer');
});

t.test('a pod that gets a node, other ports, or ends, changes its host ports', async (t) => {
  const ports = new HostPorts();
  ports.put(pod('exporter', { ...onHost, node: '' }), t0, 'change');
  t.equal(ports.uidAt('', TCP, 9100, t0 + second), undefined);
  ports.put(pod('exporter', onHost), t0 + second, 'change');
  t.equal(ports.uidAt('n1', TCP, 9100, t0 + second), 'exporter');
  ports.put(pod('exporter', { ...onHost, endedUs: t0 + 2 * second }), t0 + 5 * second, 'change');
  t.equal(ports.uidAt('n1', TCP, 9100, t0 + 1.5 * second), 'exporter');
  t.equal(ports.uidAt('n1', TCP, 9100, t0 + 3 * second), undefined);
});

t.test('a pod with its own network has no host ports', async (t) => {
  const ports = new HostPorts();
  ports.put(pod('web', { ...onHost, hostNetwork: false }), 0, 'initial');
  t.equal(ports.uidAt('n1', TCP, 9100, t0), undefined);
});
