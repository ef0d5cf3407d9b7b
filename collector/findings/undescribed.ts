// A finding without an example: the connection that described it no longer counts, and no other one is at hand.
import type { Endpoint } from '../../model/endpoint.ts';
import type { Finding } from '../../model/finding.ts';
import { nameOf } from './explanation.ts';
import { explanationText } from './explanation-text.ts';
import { workloadKey, workloadOfKey } from './finding-id.ts';

/** Its counts and times are kept. */
export function undescribed({ connection: _, ...finding }: Finding): Finding {
  const initiator = workloadOfKey(workloadKey(finding.initiator));
  const responder = finding.responder && workloadOfKey(workloadKey(finding.responder));
  const ends = [initiator, ...(responder === undefined ? [] : [responder])];
  return {
    ...finding,
    initiator,
    ...(responder !== undefined && { responder }),
    explanation: explanationText({
      claim: `${ends.map(workloadName).join(' -> ')} has connections of this kind, which ended earlier.`,
      evidence: ['note: the latest connection was evaluated again, and no longer counts'],
      toDo: 'list the earlier connections with waybill flows',
    }),
    sides: [],
    evidence: finding.kind === 'unevaluated' ? { reason: finding.evidence.reason } : {},
  };
}

function workloadName(endpoint: Endpoint): string {
  if (endpoint.ip !== undefined) return nameOf(endpoint);
  if (endpoint.kind === 'external') return `zone ${endpoint.zone}`;
  return endpoint.kind === 'unknown' ? 'an unknown address' : nameOf(endpoint);
}
