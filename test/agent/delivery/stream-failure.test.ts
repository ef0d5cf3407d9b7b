// What gRPC says, word for word, and what is made of it.
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { streamFailure } from '../../../agent/delivery/stream-failure.ts';

const framed = (error: string) => `No connection established. Last error: ${error}. Resolution note: `;
const unavailable = (details: string) => streamFailure({ code: status.UNAVAILABLE, details });

t.test('each reason has its words and its fix', async (t) => {
  const expected: [details: string, why: RegExp, fix: RegExp][] = [
    [framed('Error: connect ECONNREFUSED 127.0.0.1:9'), /^nothing listens there/, /see that the collector runs/],
    ['Name resolution failed for target dns:nowhere.invalid:7443', /^no address is known/, /collector\.address/],
    [framed('Error: self-signed certificate in certificate chain'), /another authority/, /^set tls\.ca/],
    [framed('Error: unable to verify the first certificate'), /another authority/, /^set tls\.ca/],
    [framed('Error: certificate has expired'), /^its certificate has expired$/, /^make a new one for the collector/],
    [framed('Error: certificate is not yet valid'), /^its certificate is not valid yet/, /clock/],
    [
      framed(
        "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: ",
      ),
      /^its certificate is for other names$/,
      /waybill certs --server/,
    ],
    [
      framed(
        'Error: 40CD42CA7B7F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:tlsany_meth.c:77:\n',
      ),
      /^it does not speak TLS$/,
      /the port of ingest\.listen/,
    ],
    [framed('Failed to connect (2026-11-26T20:39:46.383Z)'), /^it hung up, as it does on a certificate/, /tls\.cert/],
  ];
  const hungUp = [
    'Error: read ECONNRESET',
    'write EPIPE (2026-11-26T20:39:46.383Z)',
    'Error: Client network socket disconnected before secure TLS connection was established',
    'Connection closed before starting HTTP/2 handshake',
    'Error: Socket closed',
  ];
  for (const error of hungUp) expected.push([framed(error), /^it hung up, as it does on a certificate/, /tls\.cert/]);
  for (const details of ['read ECONNRESET', 'Received RST_STREAM with code 2 (Internal server error)']) {
    expected.push([details, /^the connection broke$/, /log may say more/]);
  }
  for (const [details, why, fix] of expected) t.match(unavailable(details), { why, fix }, details);
});

t.test('what changes from one attempt to the next is left out, whatever the reason', async (t) => {
  const at = (time: string) => unavailable(framed(`Error: odd (${time}) after 1.${time.slice(-3, -1)}s`)).why;
  t.equal(at('2026-11-26T20:39:46.383Z'), 'odd after');
  t.equal(at('2026-11-26T20:39:46.383Z'), at('2026-11-26T20:40:01.412Z'));
});

t.test('what the collector says itself is told as it says it', async (t) => {
  t.match(streamFailure({ code: status.PERMISSION_DENIED, details: 'the certificate names no node' }), {
    why: 'the certificate names no node',
    fix: /certificate of this node/,
  });
  t.match(streamFailure({ code: status.RESOURCE_EXHAUSTED, details: 'more than 3 agents (ingest.maxAgents)' }), {
    fix: 'raise it at the collector',
  });
  t.match(streamFailure(undefined), { why: 'the collector ended the stream' });
});
