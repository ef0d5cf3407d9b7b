// What can go wrong between this program and the API server. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';
import { reasonOf } from '../reason.ts';

export const watchProblemCodes = [
  'no-kubeconfig',
  'api-refused',
  'api-failed',
  'api-unreachable',
  'watch-silent',
] as const;

type Code = (typeof watchProblemCodes)[number];

function at(place: string, problem: { code: Code; fault: string; mend: string }): Problem {
  return { place, ...problem };
}

export function noKubeconfig(place: string, reason: string): Problem {
  return at(place, {
    code: 'no-kubeconfig',
    fault: reasonOf(reason),
    mend: 'set cluster.kubeconfig, run it in a pod, or give manifests instead',
  });
}

/** The API server said no to us, and asking again will not help. */
export function apiRefused(resource: string, status: number): Problem {
  const mends: Record<number, string> = {
    401: 'renew the token or certificate',
    403: `allow list and watch of ${resource} in the service account's ClusterRole`,
    404: 'use a cluster that serves this version of the API',
  };
  return at(`API server, ${resource}`, {
    code: 'api-refused',
    fault: `the request was refused with ${status}`,
    mend: mends[status] ?? 'see the log of the API server',
  });
}

export function apiFailed(resource: string, reason: string): Problem {
  return at(`API server, ${resource}`, {
    code: 'api-failed',
    fault: `${reasonOf(reason)}; it is asked again`,
    mend: 'see the log of the API server if it lasts',
  });
}

export function apiUnreachable(resource: string, error: unknown): Problem {
  return at(`API server, ${resource}`, {
    code: 'api-unreachable',
    fault: `${reasonOf(error)}; it is asked again`,
    mend: 'check the address and the network between',
  });
}

export function watchSilent(resource: string, silentMs: number): Problem {
  return at(`API server, ${resource}`, {
    code: 'watch-silent',
    fault: `the watch told nothing for ${Math.round(silentMs / 1000)} s, not even a bookmark; all is listed again`,
    mend: 'look for a proxy that holds streams back if it comes again',
  });
}
