// Which connections the packets may belong to that an agent has in no record of an interface.
import type { InterfaceLoss } from '../../model/unrecorded.ts';

/**
 * The connection that somebody looks for at the interface. `wanted`: the initiator's packets, or those of both ends; the
 * pod is the one or the other.
 */
export type SoughtConnection = {
  pod: 'initiator' | 'responder';
  wanted: 'initiator-packets' | 'all-packets';
  protocol: number;
  responderPort: number;
};

/** A loss in this time before the connection began may have been its first packet. Losses are reported every second. */
const marginUs = 3_000_000;

/** Whether a loss may have been a packet of the connection, which began at `startUs`. */
export function mayBeLost(losses: readonly InterfaceLoss[], sought: SoughtConnection, startUs: number): boolean {
  return losses.some((loss) => loss.lastUs > startUs - marginUs && mayBe(loss, sought));
}

function mayBe(loss: InterfaceLoss, { pod, wanted, protocol, responderPort }: SoughtConnection): boolean {
  if (loss.protocol !== 0 && loss.protocol !== protocol) return false;
  if (loss.port !== 0 && loss.port !== responderPort) return false;
  if (loss.direction === 'unknown' || (loss.of === 'packets' && wanted === 'all-packets')) return true;
  return loss.direction === (pod === 'initiator' ? 'from-pod' : 'to-pod');
}
