// Everything that a user of the lab can get wrong, each with its code; docs/lab.md lists the codes, a test compares.
import type { Problem } from '../model/problem.ts';

export const labProblemCodes = [
  'lab-topology-unreadable',
  'lab-topology-invalid',
  'lab-manifest-invalid',
  'lab-disagreement',
  'lab-program-missing',
  'lab-no-privilege',
  'lab-already-up',
  'lab-nothing-up',
  'lab-step-failed',
  'lab-waybill-failed',
] as const;

type Code = (typeof labProblemCodes)[number];
type Make = (place: string, fault: string, mend: string) => Problem;

function maker(code: Code): Make {
  return (place, fault, mend) => ({ code, place, fault, mend });
}

export const topologyUnreadable = maker('lab-topology-unreadable');
/** A field of the topology that the schema, or another field, does not allow. */
export const topologyInvalid = maker('lab-topology-invalid');
/** A manifest that the lab cannot make a node, pod or Service of. */
export const manifestInvalid = maker('lab-manifest-invalid');
/** Topology and manifests, or two manifests, that say different things. */
export const disagreement = maker('lab-disagreement');
export const stepFailed = maker('lab-step-failed');
export const waybillFailed = maker('lab-waybill-failed');

export function programMissing(program: string, debianPackage: string): Problem {
  return maker('lab-program-missing')(program, 'not found on PATH', `apt-get install ${debianPackage}`);
}

export function noPrivilege(reason: string): Problem {
  return maker('lab-no-privilege')(
    'lab',
    `neither root's capabilities nor a user namespace can be had (${reason})`,
    'run as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)',
  );
}

export function alreadyUp(topology: string): Problem {
  return maker('lab-already-up')(topology, 'a lab is up already', 'take it down first: npm run lab -- down');
}

export function nothingUp(): Problem {
  return maker('lab-nothing-up')('lab', 'no lab is up', 'bring one up first: npm run lab -- up FILE');
}
