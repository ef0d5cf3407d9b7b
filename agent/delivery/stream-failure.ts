// Why there is no stream, and what fixes it. gRPC words the same reason differently at each attempt, with the time or the
// address that it tried: what is told here stays the same as long as the reason does.
import { type ServiceError, status } from '@grpc/grpc-js';

export type StreamFailure = { why: string; fix: string };

const fixByWaiting = 'records are kept until it is back; the collector’s log may say more';
const fixAddress = 'see that the collector runs, or set another collector.address';

/** `undefined` where the collector ended the stream without a word. */
export function streamFailure(error: Pick<ServiceError, 'code' | 'details'> | undefined): StreamFailure {
  if (error === undefined) return { why: 'the collector ended the stream', fix: fixByWaiting };
  const { code, details } = error;
  // These two the collector says itself.
  if (code === status.PERMISSION_DENIED) {
    return { why: details, fix: 'give the certificate of this node (tls.cert, tls.key)' };
  }
  if (code === status.RESOURCE_EXHAUSTED) return { why: details, fix: 'raise it at the collector' };
  const known = knownFailures.find(({ pattern }) => pattern.test(details));
  return known === undefined
    ? { why: normalizedDetails(details), fix: fixByWaiting }
    : { why: known.why, fix: known.fix };
}

const knownFailures: readonly (StreamFailure & { pattern: RegExp })[] = [
  { pattern: /ECONNREFUSED/, why: 'nothing listens there (ECONNREFUSED)', fix: fixAddress },
  { pattern: /ETIMEDOUT/, why: 'it does not answer (ETIMEDOUT)', fix: fixAddress },
  { pattern: /E(HOST|NET)UNREACH/, why: 'there is no way to that address', fix: fixAddress },
  {
    pattern: /Name resolution failed|ENOTFOUND|EAI_AGAIN/,
    why: 'no address is known for that name',
    fix: 'set a name or address in collector.address that this node knows',
  },
  {
    pattern: /ALTNAME_INVALID/,
    why: 'its certificate is for other names',
    fix: 'set a name in collector.address that is in it, or make one for this name (waybill certs --server)',
  },
  {
    pattern: /certificate has expired/,
    why: 'its certificate has expired',
    fix: 'make a new one for the collector and start it again, or set this node’s clock right',
  },
  {
    pattern: /certificate is not yet valid/,
    why: 'its certificate is not valid yet by this node’s clock',
    fix: 'set this node’s clock right, or that of the machine where the certificate was made',
  },
  {
    pattern: /self.signed certificate|unable to (verify|get)|certificate signature failure/,
    why: 'its certificate is signed by another authority',
    fix: 'set tls.ca to the certificate of who signed it',
  },
  {
    pattern: /wrong version number|packet length/,
    why: 'it does not speak TLS',
    fix: 'set the port of ingest.listen in collector.address',
  },
  {
    // Where it does so is a matter of luck: before, in or behind the handshake.
    pattern:
      /^No connection.*(Failed to connect|ECONNRESET|EPIPE|[Ss]ocket closed|before starting|disconnected|alert)/s,
    why: 'it hung up, as it does on a certificate that it does not trust',
    fix: 'give tls.cert and tls.key that its authority signed, and the port of ingest.listen in collector.address',
  },
  { pattern: /ECONNRESET|EPIPE|RST_STREAM|dropped|[Kk]eepalive/, why: 'the connection broke', fix: fixByWaiting },
];

/** One line, without gRPC's frame and without times. */
function normalizedDetails(details: string): string {
  return details
    .split('\n')[0]!
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? ?Resolution note:.*$/, '')
    .replace(/ ?\(?\d{4}-\d\d-\d\dT[\d:.]+Z\)?/g, '')
    .replace(/ ?\b\d+(\.\d+)?m?s\b/g, '');
}
