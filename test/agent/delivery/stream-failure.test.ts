// gRPC's error texts, word for word, and the reasons and fixes made of them.
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { streamFailure } from '../../../agent/delivery/stream-failure.ts';

const framed = (error: string) => `No connection established. Last error: ${error}. Resolution note: `;
const unavailable = (details: string) => streamFailure({ code: status.UNAVAILABLE, details });

t.test('each error has its own reason and fix', async (t) => {
  const closed = /^the collector closed the connection, probably because it does not trust this agent’s certificate$/;
  const expected: [details: string, reason: RegExp, fix: RegExp][] = [
    [
      framed('Error: connect ECONNREFUSED 127.0.0.1:9'),
      /^nothing listens at this address/,
      /check that the collector runs/,
    ],
    [
      'Name resolution failed for target dns:nowhere.invalid:7443',
      /^the host name cannot be resolved/,
      /collector\.address/,
    ],
    [framed('Error: self-signed certificate in certificate chain'), /unknown authority/, /^set tls\.ca/],
    [framed('Error: unable to verify the first certificate'), /unknown authority/, /^set tls\.ca/],
    [
      framed('Error: certificate has expired'),
      /^the collector’s certificate has expired$/,
      /^issue a new one and restart the collector/,
    ],
    [framed('Error: certificate is not yet valid'), /^the collector’s certificate is not valid yet/, /clock/],
    [
      framed(
        "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: ",
      ),
      /^the collector’s certificate is for another host name$/,
      /waybill certs --server/,
    ],
    [
      framed(
        'Error: 40CD42CA7B7F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:tlsany_meth.c:77:\n',
      ),
      /^the port does not use TLS$/,
      /the port of ingest\.listen/,
    ],
    [framed('Failed to connect (2026-11-26T20:39:46.383Z)'), closed, /tls\.cert/],
  ];
  const closedConnections = [
    'Error: read ECONNRESET',
    'write EPIPE (2026-11-26T20:39:46.383Z)',
    'Error: Client network socket disconnected before secure TLS connection was established',
    'Connection closed before starting HTTP/2 handshake',
    'Error: Socket closed',
  ];
  for (const error of closedConnections) expected.push([framed(error), closed, /tls\.cert/]);
  for (const details of ['read ECONNRESET', 'Received RST_STREAM with code 2 (Internal server error)']) {
    expected.push([details, /^the connection broke$/, /see the log of the collector$/]);
  }
  for (const [details, reason, fix] of expected) t.match(unavailable(details), { reason, fix }, details);
});

t.test('times in gRPC’s text are removed, so the reason is the same at each attempt', async (t) => {
  const at = (time: string) => unavailable(framed(`Error: odd (${time}) after 1.${time.slice(-3, -1)}s`)).reason;
  t.equal(at('2026-11-26T20:39:46.383Z'), 'odd after');
  t.equal(at('2026-11-26T20:39:46.383Z'), at('2026-11-26T20:40:01.412Z'));
});

t.test('the collector’s own text is the reason, unchanged', async (t) => {
  t.match(streamFailure({ code: status.PERMISSION_DENIED, details: 'the certificate names no node' }), {
    reason: 'the certificate names no node',
    fix: /certificate of this node/,
  });
  t.match(streamFailure({ code: status.RESOURCE_EXHAUSTED, details: 'more than 3 agents (ingest.maxAgents)' }), {
    fix: 'raise this limit of the collector',
  });
  t.match(streamFailure(undefined), { reason: 'the collector ended the stream' });
});
