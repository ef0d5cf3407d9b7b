// What a user can get wrong in a request. Each code is listed in docs/errors.md.
import type { Problem } from '../../model/problem.ts';

export const apiProblemCodes = [
  'bad-parameter',
  'unknown-parameter',
  'follower-too-slow',
  'too-many-followers',
  'agent-certificate',
  'api-certificate-unusable',
] as const;

export function badParameter(name: string, value: string, fault: string, fix: string): Problem {
  return { code: 'bad-parameter', place: `parameter ${name}`, fault: `${quote(value)} ${fault}`, fix };
}

export function unknownParameter(name: string, allowed: readonly string[]): Problem {
  return {
    code: 'unknown-parameter',
    place: `parameter ${quote(name)}`,
    fault: 'there is no such parameter here',
    fix: `use ${allowed.join(', ')}`,
  };
}

export function followerTooSlow(): Problem {
  return {
    code: 'follower-too-slow',
    place: 'follow',
    fault: 'more was written than was read, so the stream ends here',
    fix: 'ask again, with a filter or a faster reader',
  };
}

export function tooManyFollowers(maxFollowers: number): Problem {
  return {
    code: 'too-many-followers',
    place: 'follow',
    fault: `${maxFollowers} readers follow already`,
    fix: 'end one of them, or ask without follow',
  };
}

export function agentCertificate(): Problem {
  return {
    code: 'agent-certificate',
    place: 'the client certificate',
    fault: 'it is an agent’s, and agents have nothing to read here',
    fix: 'use a certificate that names no node',
  };
}

export function certificateUnusable(cause: Error): Problem {
  return {
    code: 'api-certificate-unusable',
    place: 'tls.cert, tls.key and tls.ca',
    fault: `they cannot be used together (${cause.message.split('\n')[0]})`,
    fix: 'give PEM files, and the key that belongs to the certificate',
  };
}

/** As the user wrote it, short and on one line. */
function quote(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 80 ? `${quoted.slice(0, 77)}…"` : quoted;
}
