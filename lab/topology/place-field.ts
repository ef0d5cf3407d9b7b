// A schema field that names a place, for the topology and its traffic script.
import { z } from 'zod';
import { type Place, parsePlace } from './places.ts';

/** Accepts only the given kinds of places; its message lists their forms. */
export function placeField(kinds: readonly Place['kind'][]) {
  return z.string().transform((text, context): Place => {
    const place = parsePlace(text);
    if (place !== undefined && kinds.includes(place.kind)) return place;
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not one of: ${kinds.map((kind) => placeForms[kind]).join(', ')}`,
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
