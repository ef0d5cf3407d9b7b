// Directions and zones of sums as numbers (flow.proto, Unrecorded).
import { type RemoteZone, remoteZones, type UnrecordedDirection, unrecordedDirections } from '../model/unrecorded.ts';

export function unrecordedDirectionNumber(direction: UnrecordedDirection): number {
  return unrecordedDirections.indexOf(direction);
}

export function remoteZoneNumber(zone: RemoteZone): number {
  return remoteZones.indexOf(zone);
}

/** A number that a newer agent may send is `unknown`. */
export function unrecordedDirectionOf(number: number): UnrecordedDirection {
  return unrecordedDirections[number] ?? 'unknown';
}

export function remoteZoneOf(number: number): RemoteZone {
  return remoteZones[number] ?? 'unknown';
}
