// One question for a verdict: read, its ends found, judged. What makes no sense comes back as a fault.
import type { Service } from '../model/kubernetes.ts';
import { hasPorts, parseProtocol, protocolName } from '../model/protocol.ts';
import type { UnknownReason, Verdict, Way } from '../model/verdict.ts';
import { agreed, maybeTranslated } from '../policy/agreed.ts';
import { judge } from '../policy/judge.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { compilePolicies } from '../policy/policy-set.ts';
import { type Candidate, pairsOf } from './candidates.ts';
import type { Backend, Backends } from './service-backends.ts';
import {
  badPort,
  badProtocol,
  badQuery,
  type Fault,
  missingField,
  portNeeded,
  portNotWanted,
  unknownPortName,
} from './verdict-errors.ts';
import type { Named, Parties } from './verdict-parties.ts';

/** `port` is undefined where the protocol has none. */
export type Query = { from: string; to: string; protocol: number; port: number | string | undefined };

/** `raw` is a parsed line of a batch, or the flags of the command. */
export function readQuery(raw: unknown): { query: Query } | { fault: Fault } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { fault: badQuery('it is no JSON object') };
  const { from, to, protocol: givenProtocol, port: givenPort }: Record<string, unknown> = { ...raw };
  if (typeof from !== 'string' || from === '') return { fault: missingField('from') };
  if (typeof to !== 'string' || to === '') return { fault: missingField('to') };
  const protocol = readProtocol(givenProtocol ?? 'TCP');
  if (protocol === undefined) return { fault: badProtocol(String(givenProtocol)) };
  const port = readPort(givenPort ?? undefined, protocol);
  if (typeof port === 'object') return { fault: port };
  return { query: { from, to, protocol, port } };
}

export function answer(
  query: Query,
  parties: Parties,
  options: PolicyOptions,
): { verdict: Verdict } | { fault: Fault } {
  const from = parties.findInitiator(query.from);
  if (from.is === 'fault') return from;
  const to = parties.find(query.to);
  if (to.is === 'fault') return to;
  const target = targetOf(to, query, parties);
  const { backends, via } = target;
  if ('code' in backends) return { fault: backends };
  const policies = compilePolicies(parties.policies);
  const ways: Way[] = [];
  const settled = () => ({ verdict: agreed(ways, backends.all, doubtOf(query, from, target), options) });
  for (const one of candidatesOf(from)) {
    for (const { candidate, port } of backends.known) {
      for (const [initiator, responder] of pairsOf(one, candidate)) {
        const crossing = { initiator, responder, protocol: query.protocol, ...(port !== undefined && { port }) };
        let verdict = judge(crossing, policies, options);
        for (const [node] of via === undefined ? [] : pairsOf(via, { ...candidate, parties: [responder] })) {
          const seen = {
            initiator: node,
            responder,
            verdict: judge({ ...crossing, initiator: node }, policies, options),
          };
          verdict = maybeTranslated({ initiator, responder, verdict }, seen, options);
        }
        ways.push({ initiator, responder, verdict });
        // Different ones make it unknown, whatever the rest would say.
        if (verdict.verdict !== ways[0]!.verdict.verdict) return settled();
      }
    }
  }
  return settled();
}

/** Who may get it. `via`: the node that forwards it to a Service, and may put its own address in the initiator's place. */
type Target = { to: Reached; backends: Backends | Fault; service?: Service; via?: Candidate };

type Found = Exclude<Named, { is: 'service' | 'fault' }>;
type Reached = Exclude<Named, { is: 'fault' }>;

function targetOf(to: Reached, query: Query, { services }: Parties): Target {
  const { protocol, port } = query;
  if (to.is === 'service') return { to, service: to.service, backends: services.of(to.service, protocol, port) };
  const behind = to.is === 'one' && isNode(to.candidate) ? services.atNodePort(protocol, port) : undefined;
  if (to.is !== 'one' || behind === undefined) return { to, backends: ports(to, query) };
  const { service } = behind;
  return { to, service, backends: services.of(service, protocol, behind.port), via: to.candidate };
}

function isNode({ parties }: Candidate): boolean {
  return parties.some((party) => party.kind === 'address' && party.node !== undefined);
}

function doubtOf({ from, to }: Query, initiator: Found, { to: responder, service }: Target): UnknownReason {
  if (service !== undefined) return { reason: 'backend-not-known', service: `${service.namespace}/${service.name}` };
  if (responder.is === 'workload' && responder.pods.length > 1) return { reason: 'pods-differ', party: to };
  if (initiator.is === 'workload' && initiator.pods.length > 1) return { reason: 'pods-differ', party: from };
  const isOpen = responder.is === 'one' && responder.candidate.parties.length > 1;
  return { reason: 'addresses-differ', party: isOpen ? to : from };
}

function candidatesOf(named: Found): readonly Candidate[] {
  return named.is === 'one' ? [named.candidate] : named.pods;
}

/** A port's name stands for every port of that name; containers of one pod may share it. */
function ports(to: Found, { to: text, protocol, port }: Query): Backends | Fault {
  const known: Backend[] = [];
  for (const candidate of candidatesOf(to)) {
    if (typeof port !== 'string') {
      known.push({ candidate, port });
      continue;
    }
    const named = candidate.ports.filter((one) => one.name === port && one.protocol === protocol);
    if (named.length === 0) return unknownPortName(text, protocolName(protocol), port);
    for (const one of named) known.push({ candidate, port: one.port });
  }
  return { known, all: true };
}

function readProtocol(value: unknown): number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? parseProtocol(value) : undefined;
}

function readPort(value: unknown, protocol: number): number | string | undefined | Fault {
  const name = protocolName(protocol);
  if (value === undefined) return hasPorts(protocol) ? portNeeded(name) : undefined;
  if (!hasPorts(protocol)) return portNotWanted(name);
  const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof port === 'number') return Number.isInteger(port) && port >= 1 && port <= 65535 ? port : badPort(`${port}`);
  return typeof port === 'string' && /^[a-z0-9-]{1,15}$/.test(port) ? port : badPort(String(port));
}
