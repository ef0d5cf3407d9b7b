// Errors of requests. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';

export const apiProblemCodes = [
  'bad-parameter',
  'unknown-parameter',
  'follower-too-slow',
  'too-many-followers',
  'too-many-requests',
  'agent-certificate',
  'client-not-allowed',
  'api-certificate-unusable',
] as const;

export function badParameter(name: string, value: string, fault: string, fix: string): Problem {
  return { code: 'bad-parameter', place: `parameter ${name}`, fault: `${quote(value)} ${fault}`, fix };
}

export function unknownParameter(name: string, allowed: readonly string[]): Problem {
  return {
    code: 'unknown-parameter',
    place: `parameter ${quote(name)}`,
    fault: 'unknown parameter',
    fix: `use ${allowed.join(', ')}`,
  };
}

export function followerTooSlow(): Problem {
  return {
    code: 'follower-too-slow',
    place: 'follow',
    fault: 'the client reads more slowly than the collector writes, so the stream ends',
    fix: 'try again with a filter, or with a faster reader',
  };
}

export type FollowersLimit = { max: number; of: 'all clients' | 'one client' };

export function tooManyFollowers({ max, of }: FollowersLimit): Problem {
  return {
    code: 'too-many-followers',
    place: 'follow',
    fault:
      of === 'all clients'
        ? `the maximum of ${max} following clients is reached`
        : `the maximum of ${max} follow streams with one certificate name is reached`,
    fix: 'end one of them, or read without follow',
  };
}

export function tooManyRequests(maxWaiting: number): Problem {
  return {
    code: 'too-many-requests',
    place: 'the client certificate',
    fault: `${maxWaiting} requests with its name wait for their answers`,
    fix: 'read the answers, or send fewer requests at once',
  };
}

export function agentCertificate(): Problem {
  return {
    code: 'agent-certificate',
    place: 'the client certificate',
    fault: 'agents may not use the API',
    fix: 'use a client certificate, which names no node',
  };
}

export function clientNotAllowed(names: readonly string[]): Problem {
  return {
    code: 'client-not-allowed',
    place: 'the client certificate',
    fault:
      names.length === 0 ? 'it has no subject alternative name' : `${names.map(quote).join(', ')} may not use the API`,
    fix: 'use a certificate with a name that api.clients lists, or add this one to api.clients',
  };
}

export function certificateUnusable(cause: Error): Problem {
  return {
    code: 'api-certificate-unusable',
    place: 'tls.cert, tls.key and tls.ca',
    fault: `these files cannot be used together (${cause.message.split('\n')[0]})`,
    fix: 'use PEM files, and the key of the certificate',
  };
}

/** Quoted, short and on one line. */
function quote(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 80 ? `${quoted.slice(0, 77)}…"` : quoted;
}
