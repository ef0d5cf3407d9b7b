// Problems with flags and with requests to a collector. Each code is listed in docs/errors.md.
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

const checkApiFix = 'check that it is the API of a Waybill collector of this version';

function problem(code: Code, place: string, fault: string, fix: string): Problem {
  return { code, place, fault, fix };
}

export function badCollectorUrl(url: string): Problem {
  return problem('bad-collector-url', `--collector ${url}`, 'it is not an https URL', 'write it as https://HOST:PORT');
}

/** Maps error codes of the system, of TLS and of certificates to a Problem. */
export function collectorUnreachable(url: string, error: unknown): Problem {
  const { code, message } = causeOf(error);
  const place = `--collector ${url}`;
  if (code in certificateTimeFaults) {
    const { fault, fix } = certificateTimeFaults[code]!;
    return problem('collector-not-trusted', place, fault, fix);
  }
  if (code in trustFaults) {
    return problem('collector-not-trusted', place, trustFaults[code]!, 'set --ca to the CA certificate that signed it');
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const fix =
      'set --collector to a host name of the certificate, or create one for this name (waybill certs --server)';
    return problem('collector-not-trusted', place, 'its certificate is for another host name', fix);
  }
  const clientCertificateFix = 'set --cert and --key to files that its authority signed';
  if (/^ERR_SSL_.*ALERT/.test(code)) {
    return problem('certificate-refused', place, 'it does not trust this client’s certificate', clientCertificateFix);
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    const fault = 'it closed the connection, probably because it does not trust this client’s certificate';
    return problem('certificate-refused', place, fault, clientCertificateFix);
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO' || /packet length|wrong version/i.test(message)) {
    return problem('collector-unreachable', place, 'the port does not use TLS', 'use the port of its API (api.listen)');
  }
  const fault = connectFaults[code] ?? `no answer (${message.split('\n')[0]})`;
  return problem('collector-unreachable', place, fault, 'check that the collector runs, or set another --collector');
}

const trustFaults: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an unknown authority',
  CERT_SIGNATURE_FAILURE: 'its certificate is signed by another authority with the same name',
};

/** About the collector’s certificate. This client’s own certificates were checked before. */
const certificateTimeFaults: Record<string, { fault: string; fix: string }> = {
  CERT_HAS_EXPIRED: {
    fault: 'its certificate has expired',
    fix: 'issue a new one and restart the collector, or correct this machine’s clock',
  },
  CERT_NOT_YET_VALID: {
    fault: 'its certificate is not valid yet, by this machine’s clock',
    fix: 'correct the clock of this machine, or of the machine that issued the certificate',
  },
};

const connectFaults: Record<string, string> = {
  ECONNREFUSED: 'nothing listens at this address',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be resolved now',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no route to this address',
  ENETUNREACH: 'no route to this address',
};

function causeOf(error: unknown): { message: string; code: string } {
  // Node tries each address of the host; the first error represents all.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = inner instanceof Error ? inner.message : String(inner);
  const code = inner instanceof Error && 'code' in inner ? String(inner.code) : '';
  return { message, code };
}

/** The collector answered with an error status. Its own errors name the fix in `body`. */
export function collectorRefused(url: string, status: number, body: string): Problem {
  const reported = errorIn(body);
  if (reported === undefined) {
    return problem('collector-refused', `--collector ${url}`, `it answered with HTTP status ${status}`, checkApiFix);
  }
  return collectorError(url, reported);
}

/** An error that the collector reported itself, as its answer or at the end of a stream. */
export function collectorError(url: string, line: string): Problem {
  const separator = line.lastIndexOf('; ');
  const [fault, fix] =
    separator < 0 ? [line, 'check the log of the collector'] : [line.slice(0, separator), line.slice(separator + 2)];
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
  return problem('collector-ended', `--collector ${url}`, fault, 'check that the collector runs, and try again');
}

export function clientCertificateUnusable(error: unknown): Problem {
  const { message } = causeOf(error);
  const fault = `they cannot be used together (${message.split('\n')[0]})`;
  return problem(
    'client-certificate-unusable',
    '--ca, --cert and --key',
    fault,
    'give PEM files that were created together',
  );
}

export function unexpectedResponse(url: string): Problem {
  return problem('collector-refused', `--collector ${url}`, 'it returned an unexpected answer', checkApiFix);
}

export function badInput(place: string): Problem {
  return problem(
    'bad-input',
    place,
    'it is not the output of this command',
    'give a file that -o json or -o jsonl of this command wrote',
  );
}

export function unreadableInput(file: string, error: NodeJS.ErrnoException): Problem {
  return problem(
    'bad-input',
    `--input-file ${file}`,
    `cannot be read (${error.code})`,
    'give the path of a readable file',
  );
}

export function badFlag(flag: string, fault: string, fix: string): Problem {
  return problem('bad-flag', flag, fault, fix);
}
