// Who is the responder of a connection whose beginning was not seen: the side with the port that services have.

const wellKnownBelow = 1024; // RFC 6335 6, System Ports
/** Linux's range of ports for initiators begins here (ip_local_port_range). */
const ephemeralFrom = 32768;

/** `unknown` where ports say nothing: then who was seen first counts as the initiator. */
export function responderByPort(sourcePort: number, destinationPort: number): 'source' | 'destination' | 'unknown' {
  for (const limit of [wellKnownBelow, ephemeralFrom]) {
    const source = sourcePort < limit;
    const destination = destinationPort < limit;
    if (source !== destination) return source ? 'source' : 'destination';
  }
  return 'unknown';
}
