// Why there is no stream to the collector, and what to do. gRPC's text changes with each attempt, because it contains
// times and addresses. The reason returned here stays the same, so that it is logged once.
import { type ServiceError, status } from '@grpc/grpc-js';

export type StreamFailure = { reason: string; fix: string };

const fixByWaiting = 'wait: the agent queues its records until the collector is back; see the log of the collector';
const fixAddress = 'check that the collector runs, or set another collector.address';

/** `error` is undefined if the collector ended the stream without an error. */
export function streamFailure(error: Pick<ServiceError, 'code' | 'details'> | undefined): StreamFailure {
  if (error === undefined) return { reason: 'the collector ended the stream', fix: fixByWaiting };
  const { code, details } = error;
  // These two texts are the collector's own.
  if (code === status.PERMISSION_DENIED) {
    return { reason: details, fix: 'set tls.cert and tls.key to the certificate of this node' };
  }
  if (code === status.RESOURCE_EXHAUSTED) return { reason: details, fix: 'raise this limit of the collector' };
  const known = knownFailures.find(({ pattern }) => pattern.test(details));
  return known === undefined
    ? { reason: normalizedDetails(details), fix: fixByWaiting }
    : { reason: known.reason, fix: known.fix };
}

const knownFailures: readonly (StreamFailure & { pattern: RegExp })[] = [
  { pattern: /ECONNREFUSED/, reason: 'nothing listens at this address (ECONNREFUSED)', fix: fixAddress },
  { pattern: /ETIMEDOUT/, reason: 'no answer (ETIMEDOUT)', fix: fixAddress },
  { pattern: /E(HOST|NET)UNREACH/, reason: 'no route to this address', fix: fixAddress },
  {
    pattern: /Name resolution failed|ENOTFOUND|EAI_AGAIN/,
    reason: 'the host name cannot be resolved',
    fix: 'set collector.address to a name that this node can resolve, or to an IP address',
  },
  {
    pattern: /ALTNAME_INVALID/,
    reason: 'the collector’s certificate is for another host name',
    fix: 'set collector.address to a host name of the certificate, or create one for this name (waybill certs --server)',
  },
  {
    pattern: /certificate has expired/,
    reason: 'the collector’s certificate has expired',
    fix: 'issue a new one and restart the collector, or correct the clock of this node',
  },
  {
    pattern: /certificate is not yet valid/,
    reason: 'the collector’s certificate is not valid yet by this node’s clock',
    fix: 'correct the clock of this node, or of the machine that issued the certificate',
  },
  {
    pattern: /self.signed certificate|unable to (verify|get)|certificate signature failure/,
    reason: 'the collector’s certificate is signed by an unknown authority',
    fix: 'set tls.ca to the CA certificate that signed it',
  },
  {
    pattern: /wrong version number|packet length/,
    reason: 'the port does not use TLS',
    fix: 'set collector.address to the port of ingest.listen',
  },
  {
    // The collector may close the connection before, during or after the TLS handshake.
    pattern:
      /^No connection.*(Failed to connect|ECONNRESET|EPIPE|[Ss]ocket closed|before starting|disconnected|alert)/s,
    reason: 'the collector closed the connection, probably because it does not trust this agent’s certificate',
    fix: 'set tls.cert and tls.key to files that its authority signed, and collector.address to the port of ingest.listen',
  },
  { pattern: /ECONNRESET|EPIPE|RST_STREAM|dropped|[Kk]eepalive/, reason: 'the connection broke', fix: fixByWaiting },
];

/** One line, without gRPC's prefix and without times. */
function normalizedDetails(details: string): string {
  return details
    .split('\n')[0]!
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? ?Resolution note:.*$/, '')
    .replace(/ ?\(?\d{4}-\d\d-\d\dT[\d:.]+Z\)?/g, '')
    .replace(/ ?\b\d+(\.\d+)?m?s\b/g, '');
}
