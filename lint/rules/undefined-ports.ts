// Rule 27: ports that the CRDs of v1alpha1 accept, and that the API does not define.
import type { LintRule } from '../complaint.ts';

export const undefinedPorts: LintRule = {
  name: 'undefined-ports',
  severity: 'high',
  summary: 'an empty list of `ports`, a reversed range, or another protocol than TCP, UDP and SCTP: CNIs differ',
  *find({ rules }) {
    for (const { policy, path, undefinedPorts: undefinedOnes = [] } of rules) {
      for (const { path: place } of undefinedOnes) {
        const fault = `the API does not define what ${place} matches, so CNIs differ`;
        const fix = 'set TCP, UDP or SCTP with a port or a rising range, or remove the list to match every port';
        yield { object: policy, path, fault, fix };
      }
    }
  },
};
