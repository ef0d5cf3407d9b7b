// One-line builders for connection records, and the two ends that most tests use.
import { type Address, parseAddress } from '../../model/address.ts';
import { TCP } from '../../model/protocol.ts';
import { ACK, type ConnectionRecord, type PerDirection, RST, SYN } from '../../model/record.ts';

export const web = ip('10.0.1.2');
export const db = ip('10.0.2.3');
/** 2026-01-01T00:00:00Z in µs: the start of most tests. */
export const t0 = 1_767_225_600_000_000;
export const second = 1_000_000;

export function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`the scene has no such address: ${text}`);
  return address;
}

/** An unanswered SYN from web:40000 to db:5432 at web's interface. */
export function record(change: Partial<ConnectionRecord> = {}): ConnectionRecord {
  const { forward, reverse } = change.packets ?? { forward: 1, reverse: 0 };
  return {
    initiator: web,
    initiatorPort: 40000,
    responder: db,
    responderPort: 5432,
    protocol: TCP,
    point: 'source',
    interfaceIndex: 7,
    podUid: '',
    initiatorBy: 'handshake',
    isn: undefined,
    bothSentSyn: false,
    responderFirst: false,
    beganUs: t0,
    firstUs: t0,
    lastUs: t0,
    packets: { forward: 1, reverse: 0 },
    frames: forward + reverse,
    bytes: { forward: 74, reverse: 0 },
    tcpFlags: { forward: SYN, reverse: 0 },
    synRetries: 0,
    unreachable: false,
    answered: false,
    deliveryUnproven: false,
    rttUs: 0,
    ended: false,
    translation: undefined,
    ...change,
  };
}

/** The same, answered by SYN-ACK. */
export function answered(change: Partial<ConnectionRecord> = {}): ConnectionRecord {
  return record({
    packets: { forward: 2, reverse: 1 },
    bytes: { forward: 140, reverse: 74 },
    tcpFlags: { forward: SYN | ACK, reverse: SYN | ACK },
    ...change,
  });
}

/** The same, refused by RST. */
export function reset(change: Partial<ConnectionRecord> = {}): ConnectionRecord {
  return record({
    packets: { forward: 1, reverse: 1 },
    bytes: { forward: 74, reverse: 54 },
    tcpFlags: { forward: SYN, reverse: RST | ACK },
    ended: true,
    ...change,
  });
}

/** The same record at the responder's interface on the other node. */
export function atDestination(seen: ConnectionRecord): ConnectionRecord {
  return { ...seen, point: 'destination', interfaceIndex: 9 };
}

/** The same packets as an agent reports them that takes the responder for the initiator. */
export function reversed(seen: ConnectionRecord): ConnectionRecord {
  const exchanged = <Value>({ forward, reverse }: PerDirection<Value>) => ({ forward: reverse, reverse: forward });
  return {
    ...seen,
    initiator: seen.responder,
    initiatorPort: seen.responderPort,
    responder: seen.initiator,
    responderPort: seen.initiatorPort,
    point: seen.point === 'source' ? 'destination' : 'source',
    initiatorBy: 'inferred',
    answered: seen.packets.forward > 0 && !seen.unreachable,
    packets: exchanged(seen.packets),
    bytes: exchanged(seen.bytes),
    tcpFlags: exchanged(seen.tcpFlags),
    isn: undefined,
  };
}
