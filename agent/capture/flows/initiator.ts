// Guesses the responder of a connection whose beginning was not seen: the side with a port that servers use.

const wellKnownBelow = 1024; // RFC 6335 6, System Ports
/** Linux takes ports for initiators from here on (ip_local_port_range). */
const ephemeralFrom = 32768;

/** `unknown` if the ports do not decide: then the sender of the first packet counts as the initiator. */
export function responderByPort(sourcePort: number, destinationPort: number): 'source' | 'destination' | 'unknown' {
  for (const limit of [wellKnownBelow, ephemeralFrom]) {
    const source = sourcePort < limit;
    const destination = destinationPort < limit;
    if (source !== destination) return source ? 'source' : 'destination';
  }
  return 'unknown';
}
