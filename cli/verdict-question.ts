// Reads one question for a verdict, resolves its ends and evaluates it. An invalid question returns a fault.
import type { Service } from '../model/kubernetes.ts';
import { hasPorts, parseProtocol, protocolName } from '../model/protocol.ts';
import type { Alternative, Party, UnknownReason, Verdict } from '../model/verdict.ts';
import { combineAlternatives, combineMaybeTranslated } from '../policy/alternatives.ts';
import { judge } from '../policy/judge.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { compilePolicies } from '../policy/policy-set.ts';
import { type Candidate, partyPairs } from './candidates.ts';
import type { ServiceCandidate, ServiceCandidates } from './service-lookup.ts';
import {
  badPort,
  badProtocol,
  badQuery,
  missingField,
  portNeeded,
  portNotAllowed,
  type QuestionFault,
  unknownPortName,
} from './verdict-errors.ts';
import type { PartyResolver, ResolvedParty } from './verdict-parties.ts';

/** `port` is undefined for protocols without ports. */
export type VerdictQuestion = { from: string; to: string; protocol: number; port: number | string | undefined };

/** `raw` is a parsed line of a batch, or the flags of the command. */
export function readQuestion(raw: unknown): { question: VerdictQuestion } | { fault: QuestionFault } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    return { fault: badQuery('it is not a JSON object') };
  const { from, to, protocol: givenProtocol, port: givenPort }: Record<string, unknown> = { ...raw };
  if (typeof from !== 'string' || from === '') return { fault: missingField('from') };
  if (typeof to !== 'string' || to === '') return { fault: missingField('to') };
  const protocol = readProtocol(givenProtocol ?? 'TCP');
  if (protocol === undefined) return { fault: badProtocol(String(givenProtocol)) };
  const port = readPort(givenPort ?? undefined, protocol);
  if (typeof port === 'object') return { fault: port };
  return { question: { from, to, protocol, port } };
}

export function evaluateQuestion(
  question: VerdictQuestion,
  parties: PartyResolver,
  options: PolicyOptions,
): { verdict: Verdict } | { fault: QuestionFault } {
  const from = parties.resolveInitiator(question.from);
  if (from.kind === 'fault') return from;
  const to = parties.resolve(question.to);
  if (to.kind === 'fault') return to;
  const target = targetOf(from, to, question, parties);
  const { candidates, forwardingNode } = target;
  if ('code' in candidates) return { fault: candidates };
  const policies = compilePolicies(parties.policies);
  const alternatives: Alternative[] = [];
  const agreedVerdict = () => ({
    verdict: combineAlternatives(alternatives, candidates.complete, unknownReasonOf(question, from, target), options),
  });
  for (const one of candidatesOf(from)) {
    for (const { candidate, port } of candidates.known) {
      for (const [initiator, responder] of partyPairs(one, candidate)) {
        const flow = { initiator, responder, protocol: question.protocol, ...(port !== undefined && { port }) };
        let verdict = judge(flow, policies, options);
        for (const [node] of forwardingNode === undefined
          ? []
          : partyPairs(forwardingNode, { ...candidate, parties: [responder] })) {
          const fromNode = {
            initiator: node,
            responder,
            verdict: judge({ ...flow, initiator: node }, policies, options),
          };
          verdict = combineMaybeTranslated({ initiator, responder, verdict }, fromNode, options);
        }
        alternatives.push({ initiator, responder, verdict });
        // Two different verdicts make the result unknown, so the other alternatives do not matter.
        if (verdict.verdict !== alternatives[0]!.verdict.verdict) return agreedVerdict();
      }
    }
  }
  return agreedVerdict();
}

/** `forwardingNode`: the node of a node port. It may replace the initiator's address with its own. */
type Target = {
  responder: ResolvedResponder;
  candidates: ServiceCandidates | QuestionFault;
  service?: Service;
  forwardingNode?: Candidate;
};

type ResolvedInitiator = Exclude<ResolvedParty, { kind: 'service' | 'fault' }>;
type ResolvedResponder = Exclude<ResolvedParty, { kind: 'fault' }>;

function targetOf(
  from: ResolvedInitiator,
  to: ResolvedResponder,
  question: VerdictQuestion,
  parties: PartyResolver,
): Target {
  const { protocol, port } = question;
  const { services } = parties;
  if (to.kind === 'service')
    return { responder: to, service: to.service, candidates: services.candidatesFor(to.service, protocol, port) };
  const nodePortService = to.kind === 'one' && isNode(to.candidate) ? services.byNodePort(protocol, port) : undefined;
  if (to.kind !== 'one' || nodePortService === undefined) {
    const candidates = to.kind === 'one' ? hostPortCandidates(to.candidate, question, parties) : undefined;
    return { responder: to, candidates: candidates ?? portCandidates(to, question) };
  }
  const { service } = nodePortService;
  const candidates = services.candidatesFor(service, protocol, nodePortService.port);
  // A node sends connections of pods and nodes to all endpoints, whatever externalTrafficPolicy says.
  if ('code' in candidates || !service.localOnly || !isOutside(from))
    return { responder: to, service, candidates, forwardingNode: to.candidate };
  return { responder: to, service, candidates: onNode(candidates, service, to.candidate) };
}

function isOutside(initiator: ResolvedInitiator): boolean {
  return candidatesOf(initiator).every(({ parties }) => {
    return parties.every((party) => party.kind === 'address' && party.node === undefined);
  });
}

/** With `externalTrafficPolicy: Local`, a node uses only its own pods. Pods without a node may be there. */
function onNode({ known, complete, why }: ServiceCandidates, service: Service, node: Candidate): ServiceCandidates {
  const nodes = node.parties.map(nodeOf);
  const there = known.filter(({ candidate }) => {
    return candidate.parties.some((party) => ['', undefined, ...nodes].includes(nodeOf(party)));
  });
  const reason = why ?? (complete && there.length === 0 ? noneOnNode(service) : undefined);
  return { known: there, complete, ...(reason !== undefined && { why: reason }) };
}

function noneOnNode({ namespace, name }: Service): UnknownReason {
  return { reason: 'no-endpoints', service: `${namespace}/${name}`, none: { why: 'none-on-node' } };
}

function nodeOf(party: Party): string | undefined {
  return party.kind === 'some-node' ? undefined : party.node;
}

/** Undefined if no pod may have the port of the node as its host port. */
function hostPortCandidates(
  node: Candidate,
  { protocol, port }: VerdictQuestion,
  parties: PartyResolver,
): ServiceCandidates | undefined {
  if (typeof port !== 'number') return undefined;
  const found = node.parties.flatMap((party) => {
    if (party.kind !== 'address' || party.node === undefined) return [];
    return parties.hostPortCandidates(party.node, party.address, protocol, port);
  });
  const there = found.flatMap((one) => one.there);
  if (there.length > 0) return { known: there, complete: true };
  const mayBeThere = found.flatMap((one) => one.mayBeThere);
  if (mayBeThere.length === 0) return undefined;
  const pods = [...new Set(mayBeThere.map(({ name }) => name))];
  return {
    known: [...mayBeThere, { candidate: node, port }],
    complete: true,
    why: { reason: 'host-port-not-known', pods },
  };
}

function isNode({ parties }: Candidate): boolean {
  return parties.some((party) => party.kind === 'address' && party.node !== undefined);
}

function unknownReasonOf(
  { from, to }: VerdictQuestion,
  initiator: ResolvedInitiator,
  { responder, service, candidates }: Target,
): UnknownReason {
  if ('why' in candidates && candidates.why !== undefined) return candidates.why;
  if (service !== undefined) return { reason: 'backend-not-known', service: `${service.namespace}/${service.name}` };
  if (responder.kind === 'workload' && responder.pods.length > 1) return { reason: 'pods-differ', party: to };
  if (initiator.kind === 'workload' && initiator.pods.length > 1) return { reason: 'pods-differ', party: from };
  const hasSeveralAddresses = responder.kind === 'one' && responder.candidate.parties.length > 1;
  return { reason: 'addresses-differ', party: hasSeveralAddresses ? to : from };
}

function candidatesOf(party: ResolvedInitiator): readonly Candidate[] {
  return party.kind === 'one' ? [party.candidate] : party.pods;
}

/** A port name means every port with that name; containers of one pod may share a name. */
function portCandidates(
  to: ResolvedInitiator,
  { to: text, protocol, port }: VerdictQuestion,
): ServiceCandidates | QuestionFault {
  const known: ServiceCandidate[] = [];
  for (const candidate of candidatesOf(to)) {
    if (typeof port !== 'string') {
      known.push({ candidate, port });
      continue;
    }
    const namedPorts = candidate.ports.filter((one) => one.name === port && one.protocol === protocol);
    if (namedPorts.length === 0) return unknownPortName(text, protocolName(protocol), port);
    for (const one of namedPorts) known.push({ candidate, port: one.port });
  }
  return { known, complete: true };
}

function readProtocol(value: unknown): number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? parseProtocol(value) : undefined;
}

function readPort(value: unknown, protocol: number): number | string | undefined | QuestionFault {
  const name = protocolName(protocol);
  if (value === undefined) return hasPorts(protocol) ? portNeeded(name) : undefined;
  if (!hasPorts(protocol)) return portNotAllowed(name);
  const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof port === 'number') return Number.isInteger(port) && port >= 1 && port <= 65535 ? port : badPort(`${port}`);
  return typeof port === 'string' && /^[a-z0-9-]{1,15}$/.test(port) ? port : badPort(String(port));
}
