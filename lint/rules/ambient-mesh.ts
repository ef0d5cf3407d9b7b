// Istio's ambient mode: connections between pods of the mesh arrive on port 15008 (HBONE), and the probes of the node's
// kubelet come from 169.254.7.127. Policies see these, not the application's port and the node.
import { type Address, parseAddress, prefixContainsAddress } from '../../model/address.ts';
import { TCP } from '../../model/protocol.ts';
import { listText } from '../../policy/list-text.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects, PodDeclaration } from '../declared-objects.ts';
import { mayHaveOtherPolicy, podsByIsolation, rulesByPolicy, workloadNames } from '../isolation.ts';
import { arePeersWithin } from '../peers.ts';
import type { RuleView } from '../rule-view.ts';

export const ambientMesh: LintRule = {
  name: 'ambient-mesh',
  severity: 'high',
  summary:
    'pods in the ambient mode of Istio, and an ingress policy that admits their port but not port 15008, or not the ' +
    'address of their probes (169.254.7.127)',
  *find(declared) {
    const rules = rulesByPolicy(declared);
    const complained = new Set<RuleView>();
    for (const { policies, pods } of podsByIsolation(declared, 'ingress')) {
      const inMesh = pods.filter((pod) => isAmbient(pod, declared) && !mayHaveOtherPolicy(declared, pod));
      if (inMesh.length === 0) continue;
      const ingress = policies
        .flatMap((policy) => rules.get(policy) ?? [])
        .filter(({ direction }) => direction === 'ingress');
      for (const rule of ingress) {
        const isFromPods = rule.peers === 'everyone' || rule.peers.some(({ kind }) => kind === 'pods');
        if (!isFromPods || complained.has(rule) || isTunnelAdmitted(rule, ingress, declared)) continue;
        complained.add(rule);
        yield {
          object: rule.policy,
          path: [...rule.path, 'ports'],
          fault: `the pods of ${listText(workloadNames(inMesh))} are in an ambient mesh: connections arrive on port 15008 (HBONE), and the rule does not admit it`,
          fix: 'add port 15008 (TCP) to the rule',
        };
      }
      const probed = inMesh.filter((pod) => hasNetworkProbe(pod, declared));
      if (probed.length === 0 || ingress.some(admitsProbes)) continue;
      yield {
        object: policies[0]!,
        path: ['spec'],
        fault: `the probes of ${listText(workloadNames(probed))} come from ${probeAddress} in an ambient mesh, and no ingress rule admits that address`,
        fix: `allow ingress from ipBlock ${probeAddress}/32`,
      };
    }
  },
};

const tunnelPort = 15_008;
const probeAddress: Address = parseAddress('169.254.7.127')!;
const modeLabel = 'istio.io/dataplane-mode';

/** The label of the pod comes before that of its namespace. */
function isAmbient({ labels, namespace }: PodDeclaration, declared: DeclaredObjects): boolean {
  return (labels[modeLabel] ?? declared.namespaces.get(namespace)?.labels[modeLabel]) === 'ambient';
}

/** By the rule itself, or by another one for the same peers. */
function isTunnelAdmitted(rule: RuleView, ingress: readonly RuleView[], declared: DeclaredObjects): boolean {
  return ingress.some(
    (other) => admitsTunnel(other) && (other === rule || arePeersWithin(rule.peers, other.peers, declared)),
  );
}

function admitsTunnel({ ports }: RuleView): boolean {
  if (ports.length === 0) return true;
  return ports.some(({ protocol, port, endPort }) => {
    if (protocol !== TCP) return false;
    return port === undefined || (typeof port === 'number' && port <= tunnelPort && tunnelPort <= (endPort ?? port));
  });
}

function admitsProbes({ peers }: RuleView): boolean {
  if (peers === 'everyone') return true;
  return peers.some(
    (peer) =>
      peer.kind === 'addresses' &&
      peer.blocks.some(
        ({ cidr, except }) =>
          prefixContainsAddress(cidr, probeAddress) && !except.some((one) => prefixContainsAddress(one, probeAddress)),
      ),
  );
}

const probeNames = ['startupProbe', 'readinessProbe', 'livenessProbe'];
const probeForms = ['httpGet', 'tcpSocket', 'grpc'];

/** Probes that run a command need no network. */
function hasNetworkProbe({ object }: PodDeclaration, declared: DeclaredObjects): boolean {
  const fields = declared.manifestFields(object);
  const podSpecs = [['spec'], ['spec', 'template', 'spec'], ['spec', 'jobTemplate', 'spec', 'template', 'spec']];
  return podSpecs.some((path) => {
    const containers = fields?.value([...path, 'containers']);
    return Array.isArray(containers) && containers.some(hasProbe);
  });
}

function hasProbe(container: unknown): boolean {
  return probeNames.some((name) =>
    probeForms.some((form) => isObject(container) && isObject(container[name]) && form in container[name]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
