// The problems that the lab reports, each with its code. docs/errors.md lists the codes; a test compares.
import type { Problem } from '../../model/problem.ts';

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
type Make = (place: string, fault: string, fix: string) => Problem;

function maker(code: Code): Make {
  return (place, fault, fix) => ({ code, place, fault, fix });
}

export const topologyUnreadable = maker('lab-topology-unreadable');
/** A field of the topology that the schema, or another field, does not allow. */
export const topologyInvalid = maker('lab-topology-invalid');
/** A manifest that describes no node, pod or Service that the lab can create. */
export const manifestInvalid = maker('lab-manifest-invalid');
/** A topology and its manifests, or two manifests, that contradict each other. */
export const disagreement = maker('lab-disagreement');
export const stepFailed = maker('lab-step-failed');
export const waybillFailed = maker('lab-waybill-failed');

export function programMissing(program: string, debianPackage: string): Problem {
  return maker('lab-program-missing')(program, 'not found on PATH', `run apt-get install ${debianPackage}`);
}

export function noPrivilege(reason: string): Problem {
  return maker('lab-no-privilege')(
    'lab',
    `neither root nor a user namespace is available (${reason})`,
    'run as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)',
  );
}

export function alreadyUp(topology: string): Problem {
  return maker('lab-already-up')(topology, 'a lab is already up', 'take it down first: npm run lab -- down');
}

export function nothingUp(): Problem {
  return maker('lab-nothing-up')('lab', 'no lab is up', 'bring one up first: npm run lab -- up FILE');
}
