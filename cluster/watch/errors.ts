// Problems with access to the API server. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';
import { reasonOf } from '../../model/reason.ts';

export const watchProblemCodes = [
  'no-kubeconfig',
  'api-refused',
  'api-failed',
  'api-unreachable',
  'watch-silent',
] as const;

type Code = (typeof watchProblemCodes)[number];

function problem(code: Code, place: string, fault: string, fix: string): Problem {
  return { code, place, fault, fix };
}

export function noKubeconfig(place: string, reason: string): Problem {
  const advice = 'set cluster.kubeconfig or cluster.manifests, or run in a pod with a service account';
  return problem('no-kubeconfig', place, reasonOf(reason), advice);
}

/** A refusal that retries for a minute did not change. `message` is the server's. */
export function apiRefused(resource: string, status: number, message: string): Problem {
  const advice: Record<number, string> = {
    401: 'renew the token or certificate',
    403: `allow list and watch of ${resource} in the service account's ClusterRole`,
    404: 'use a cluster that serves this API version',
  };
  return problem(
    'api-refused',
    placeOf(resource),
    `the request was refused with status ${status}: ${reasonOf(message)}`,
    advice[status] ?? 'check the log of the API server',
  );
}

export function apiFailed(resource: string, reason: string): Problem {
  return problem(
    'api-failed',
    placeOf(resource),
    `the request failed, retrying: ${reasonOf(reason)}`,
    'check the log of the API server if this persists',
  );
}

export function apiUnreachable(resource: string, error: unknown): Problem {
  return problem(
    'api-unreachable',
    placeOf(resource),
    `no valid response, retrying: ${reasonOf(error)}`,
    'check the address of the API server and the network to it',
  );
}

export function watchSilent(resource: string, silentMs: number): Problem {
  return problem(
    'watch-silent',
    placeOf(resource),
    `the watch sent nothing for ${Math.round(silentMs / 1000)} s and missed changes, which a new list shows`,
    'look for a proxy that buffers the stream',
  );
}

function placeOf(resource: string): string {
  return `API server, ${resource}`;
}
