// What would make the verdict of an unevaluated connection known.
import type { UnknownReason, Verdict } from '../../model/verdict.ts';
import { policyText } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';
import { unknownReasonOf } from './violation.ts';

/** Lower case, one line. */
export function makesKnown(verdict: Verdict): string {
  const why = unknownReasonOf(verdict);
  return why === undefined ? 'look at the reason' : toDoFor(why);
}

function toDoFor(why: UnknownReason): string {
  switch (why.reason) {
    case 'not-evaluated':
      return `check ${policiesText(why.policies)} by hand, or declare the same in a NetworkPolicy, which Waybill evaluates`;
    case 'broken-policy':
      return `fix ${policiesText(why.policies)}`;
    case 'unread-documents':
      return `fix ${listText(why.documents, ' and ')}, or remove it`;
    case 'ports-not-defined':
      return `give the rules of ${policiesText(why.policies)} ports that the API defines`;
    case 'label-values-not-known':
      return 'let the collector read the pods, which have the values of these labels';
    case 'port-name-not-known':
      return `name the port ${why.name} in the containers of the responder`;
    case 'too-many-selectors':
      return `use fewer selectors in ${policiesText(why.policies)}`;
    case 'no-endpoints':
    case 'external-name':
      return `check Service ${why.service}`;
    case 'host-port-not-known':
      return `check the host ports of ${listText(why.pods, ' and ')}`;
    case 'ambiguous-priority':
      return `give ${policiesText(why.policies)} different priorities`;
    case 'names-not-known':
      return "let the pod use the cluster's DNS, on a node with an agent, or name its DNS server in cluster.dnsServers";
    case 'namespace-labels-not-known':
      return `let the collector read namespace ${why.namespace}`;
    case 'node-labels-not-known':
      return `let the collector read node ${why.node}`;
    case 'backend-not-known':
    case 'source-translated':
      return 'run an agent on the nodes of both ends, with conntrack readable';
    case 'address-not-known':
    case 'node-not-known':
    case 'pods-differ':
    case 'addresses-differ':
    case 'no-owner-at-that-time':
    case 'address-of-another-node':
      return 'run an agent on the nodes of both ends, and let the collector read pods and nodes';
    case 'cluster-stale':
    case 'cluster-not-synced':
      return 'find out why the collector did not get the changes of the API server at that time';
    case 'local-scope':
    case 'sender-not-seen':
      return 'nothing';
  }
}

function policiesText(policies: Extract<UnknownReason, { reason: 'not-evaluated' }>['policies']): string {
  return listText(policies.map(policyText), ' and ');
}
