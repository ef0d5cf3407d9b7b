// The names of one address, each from its first answer to the end of the time to live of its latest answer.
import type { Address } from '../../model/address.ts';

/** The answer came from `server`, to a query sent to `asked`; both are empty for an agent that did not compare them. */
export type NameSource = { server: Address | ''; asked: Address | '' };
/** `agentAtUs` is the same time on the agent's clock, which identifies the answer. */
export type GivenName = NameSource & { name: string; atUs: number; agentAtUs: number; ttlSeconds: number };
/** `untilBeforeUs`: how long it was valid by the answer before the latest; 0 if there was none. */
export type NameSpan = NameSource & {
  name: string;
  fromUs: number;
  lastAnswerUs: number;
  lastAnswerAgentUs: number;
  untilUs: number;
  untilBeforeUs: number;
};

/**
 * How long a name is valid after its time to live. Programs keep using an address: connection pools do not resolve again,
 * runtimes cache too long, and an agent does not report every renewal.
 */
export const lingerUs = 600_000_000;
/** The times of an answer and of the connection that follows may come from the clocks of two nodes. */
const answerToleranceUs = 1_000_000;
/** Because a CDN serves thousands of names from one address. */
const maxNames = 16;

/** Spans are in the order of their last answers. Returns the new list, and whether a name was evicted. */
export function withName(
  spans: readonly NameSpan[],
  { name, server, asked, atUs, agentAtUs, ttlSeconds }: GivenName,
): { spans: NameSpan[]; evicted: boolean } {
  const known = spans.find((one) => isSame(one, { name, server, asked }));
  const span = known ?? {
    ...{ name, server, asked },
    ...{ fromUs: atUs, lastAnswerUs: atUs, lastAnswerAgentUs: agentAtUs, untilUs: 0, untilBeforeUs: 0 },
  };
  if (agentAtUs > span.lastAnswerAgentUs) {
    span.untilBeforeUs = span.untilUs;
    span.lastAnswerUs = atUs;
    span.lastAnswerAgentUs = agentAtUs;
  }
  span.fromUs = Math.min(span.fromUs, atUs);
  span.untilUs = Math.max(span.untilUs, atUs + ttlSeconds * 1_000_000);
  const others = spans.filter((one) => one !== span);
  const later = others.findIndex((one) => one.lastAnswerUs > span.lastAnswerUs);
  others.splice(later < 0 ? others.length : later, 0, span);
  return { spans: others.slice(-maxNames), evicted: others.length > maxNames };
}

/** Takes back the answer of that time. An earlier answer with the same name stays valid. */
export function withoutAnswer(
  spans: readonly NameSpan[],
  { name, server, asked, agentAtUs }: NameSource & { name: string; agentAtUs: number },
): NameSpan[] {
  return spans.filter((span) => {
    if (!isSame(span, { name, server, asked }) || span.lastAnswerAgentUs !== agentAtUs) return true;
    if (span.untilBeforeUs === 0) return false;
    span.untilUs = span.untilBeforeUs;
    return true;
  });
}

export function isValidAt({ fromUs, untilUs }: NameSpan, timeUs: number): boolean {
  return fromUs <= timeUs + answerToleranceUs && timeUs <= untilUs + lingerUs;
}

export function isExpiredAt({ fromUs, untilUs }: NameSpan, timeUs: number): boolean {
  return fromUs <= timeUs && timeUs > untilUs + lingerUs;
}

function isSame(a: NameSource & { name: string }, b: NameSource & { name: string }): boolean {
  return a.name === b.name && a.server === b.server && a.asked === b.asked;
}
