// A field of the topology that names a place, for the schemas of the topology and of its traffic script.
import { z } from 'zod';
import { type Place, parsePlace } from './places.ts';

/** Takes the given kinds of places only; the problem says which forms those have. */
export function placeField(kinds: readonly Place['kind'][]) {
  return z.string().transform((text, context): Place => {
    const place = parsePlace(text);
    if (place !== undefined && kinds.includes(place.kind)) return place;
    context.addIssue({
      code: 'custom',
      message: `${text} is none of: ${kinds.map((kind) => placeForms[kind]).join(', ')}`,
    });
    return z.NEVER;
  });
}

const placeForms: Record<Place['kind'], string> = {
  pod: 'NAMESPACE/POD',
  service: 'service NAMESPACE/NAME',
  node: 'node NAME',
  outside: 'outside NAME',
  address: 'an IP address',
  prefix: 'a CIDR block',
  any: 'any',
};
