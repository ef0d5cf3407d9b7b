import t from 'tap';
import { ACK, FIN, PSH, RST, SYN } from '../../../../model/record.ts';
import { decoded } from '../../../scene/decoded.ts';
import { type Body, ethernet, ip4, join, sctp, tcp, udp } from '../../../scene/packets.ts';

function seen(body: Body) {
  return decoded(ethernet(ip4('10.0.1.2', '10.0.2.3', body)));
}

t.test('TCP: only SYN and SYN-ACK prove the initiator', async (t) => {
  t.match(seen(tcp(40000, 80, 'S')), { as: 'packet', initiator: 'source', tcpFlags: SYN });
  t.match(seen(tcp(80, 40000, 'SA')), { as: 'packet', initiator: 'destination', tcpFlags: SYN | ACK });
  t.match(seen(tcp(40000, 80, 'PA')), { as: 'packet', initiator: 'unknown', tcpFlags: PSH | ACK });
  t.match(seen(tcp(40000, 80, 'FA')), { as: 'packet', initiator: 'unknown', tcpFlags: FIN | ACK });
  t.match(seen(tcp(80, 40000, 'SR')), { as: 'packet', initiator: 'unknown', tcpFlags: SYN | RST });
});

t.test('TCP: sequence numbers have 32 bits, and the acknowledgement number counts only with ACK', async (t) => {
  const numbers = { sequence: 0xfffffffe, acknowledged: 0xffffffff };
  t.match(seen(tcp(1, 2, 'SA', numbers)), { sequence: 0xfffffffe, acknowledged: 0xffffffff });
  t.match(seen(tcp(1, 2, 'S', numbers)), { sequence: 0xfffffffe, acknowledged: 0 });
});

t.test('TCP: a header that ends early, or states less than 20 bytes, is corrupt', async (t) => {
  const { bytes } = tcp(40000, 80);
  t.equal(seen({ protocol: 6, bytes: bytes.subarray(0, 19) }).as, 'corrupt');
  const small = Buffer.from(bytes);
  small[12] = 0x40;
  t.equal(seen({ protocol: 6, bytes: small }).as, 'corrupt');
});

t.test('UDP: ports are read, and the initiator is unknown', async (t) => {
  t.match(seen(udp(40000, 53, 30)), { as: 'packet', tuple: 'UDP 10.0.1.2:40000 -> 10.0.2.3:53', initiator: 'unknown' });
  t.match(seen(udp(65535, 0)), { as: 'packet', tuple: 'UDP 10.0.1.2:65535 -> 10.0.2.3:0' });
  t.equal(seen({ protocol: 17, bytes: udp(1, 2).bytes.subarray(0, 7) }).as, 'corrupt');
});

t.test('SCTP: INIT and INIT-ACK prove the initiator', async (t) => {
  t.match(seen(sctp(40000, 3868, 1)), { tuple: 'SCTP 10.0.1.2:40000 -> 10.0.2.3:3868', initiator: 'source' });
  t.match(seen(sctp(3868, 40000, 2)), { tuple: 'SCTP 10.0.1.2:3868 -> 10.0.2.3:40000', initiator: 'destination' });
  t.match(seen(sctp(40000, 3868, 0)), { as: 'packet', initiator: 'unknown' });
  t.match(seen({ protocol: 132, bytes: join(sctp(1, 2).bytes.subarray(0, 12)) }), {
    as: 'packet',
    initiator: 'unknown',
  });
  t.equal(seen({ protocol: 132, bytes: sctp(1, 2).bytes.subarray(0, 11) }).as, 'corrupt');
});
