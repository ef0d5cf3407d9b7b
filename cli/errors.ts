// What a user can get wrong about a running collector and what is asked of it. Each code is listed in docs/errors.md.
import type { Problem } from '../model/problem.ts';

export const cliProblemCodes = [
  'bad-collector-url',
  'collector-unreachable',
  'collector-not-trusted',
  'certificate-refused',
  'collector-refused',
  'collector-ended',
  'client-certificate-unusable',
  'bad-input',
  'bad-flag',
  'bad-usage',
  'unexpected-error',
] as const;

type Code = (typeof cliProblemCodes)[number];

function problem(code: Code, place: string, fault: string, fix: string): Problem {
  return { code, place, fault, fix };
}

export function badCollectorUrl(url: string): Problem {
  return problem('bad-collector-url', `--collector ${url}`, 'it is no https URL', 'write it as https://HOST:PORT');
}

/** What went wrong on the way to the collector, as codes of the system, of TLS and of certificates name it. */
export function collectorUnreachable(url: string, error: unknown): Problem {
  const { code, message } = causeOf(error);
  const place = `--collector ${url}`;
  if (code in certificateTimeFaults) {
    const { fault, fix } = certificateTimeFaults[code]!;
    return problem('collector-not-trusted', place, fault, fix);
  }
  if (code in trustFaults) {
    return problem('collector-not-trusted', place, trustFaults[code]!, 'give --ca, the certificate of who signed it');
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const fix = 'use a name that is in it, or make one for this name (waybill certs --server)';
    return problem('collector-not-trusted', place, 'its certificate is for other names', fix);
  }
  const clientCertificateFix = 'give --cert and --key that its authority signed';
  if (/^ERR_SSL_.*ALERT/.test(code)) {
    return problem('certificate-refused', place, 'it does not trust this client’s certificate', clientCertificateFix);
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    const fault = 'it hung up, as it does on a client’s certificate that it does not trust';
    return problem('certificate-refused', place, fault, clientCertificateFix);
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO' || /packet length|wrong version/i.test(message)) {
    return problem('collector-unreachable', place, 'it does not speak TLS', 'give the port of its API (api.listen)');
  }
  const fault = connectFaults[code] ?? `no answer (${message.split('\n')[0]})`;
  return problem('collector-unreachable', place, fault, 'see that it runs, or give another --collector');
}

const trustFaults: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an unknown authority',
  CERT_SIGNATURE_FAILURE: 'its certificate is signed by another authority of that name',
};

/** Of the collector’s certificate: this client’s own are looked at before. */
const certificateTimeFaults: Record<string, { fault: string; fix: string }> = {
  CERT_HAS_EXPIRED: {
    fault: 'its certificate has expired',
    fix: 'make a new one for the collector and start it again, or set this machine’s clock right',
  },
  CERT_NOT_YET_VALID: {
    fault: 'its certificate is not valid yet by this machine’s clock',
    fix: 'set this machine’s clock right, or that of the machine where the certificate was made',
  },
};

const connectFaults: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no address is known for that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'it did not answer in time',
  EHOSTUNREACH: 'there is no way to that address',
  ENETUNREACH: 'there is no way to that address',
};

function causeOf(error: unknown): { message: string; code: string } {
  // One for each address that was tried.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = inner instanceof Error ? inner.message : String(inner);
  const code = inner instanceof Error && 'code' in inner ? String(inner.code) : '';
  return { message, code };
}

/** It answered, and not what was asked for. `body` names the fix where it is the collector's own. */
export function collectorRefused(url: string, status: number, body: string): Problem {
  const reported = errorIn(body);
  if (reported === undefined) {
    const fix = 'see that it is the API of a Waybill collector of this version';
    return problem('collector-refused', `--collector ${url}`, `it answered ${status}`, fix);
  }
  return collectorError(url, reported);
}

/** What the collector says in its own words, in place of an answer or at the end of a stream. */
export function collectorError(url: string, line: string): Problem {
  const separator = line.lastIndexOf('; ');
  const [fault, fix] =
    separator < 0 ? [line, 'its log may say more'] : [line.slice(0, separator), line.slice(separator + 2)];
  return problem('collector-refused', `--collector ${url}`, fault, fix);
}

function errorIn(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const error = typeof parsed === 'object' && parsed !== null && 'error' in parsed ? parsed.error : undefined;
    return typeof error === 'string' && error.length < 2000 ? error.replace(/\p{Cc}/gu, ' ') : undefined;
  } catch {
    return undefined;
  }
}

export function collectorEnded(url: string, fault: string): Problem {
  return problem('collector-ended', `--collector ${url}`, fault, 'ask again once it runs');
}

export function clientCertificateUnusable(error: unknown): Problem {
  const { message } = causeOf(error);
  const fault = `they cannot be used together (${message.split('\n')[0]})`;
  return problem('client-certificate-unusable', '--ca, --cert and --key', fault, 'give PEM files that belong together');
}

export function unexpectedResponse(url: string): Problem {
  const fix = 'see that it is the API of a Waybill collector of this version';
  return problem('collector-refused', `--collector ${url}`, 'its answer is not what was asked for', fix);
}

export function badInput(place: string): Problem {
  return problem('bad-input', place, 'this is no output of this command', 'give what its -o json or -o jsonl wrote');
}

export function unreadableInput(file: string, error: NodeJS.ErrnoException): Problem {
  return problem('bad-input', `--input-file ${file}`, `it cannot be read (${error.code})`, 'give a file that is there');
}

export function badFlag(flag: string, fault: string, fix: string): Problem {
  return problem('bad-flag', flag, fault, fix);
}
