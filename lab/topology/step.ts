// The traffic script: steps in time, each with one verb. A connection has its expected outcome, and what Waybill should
// report about it.
import { z } from 'zod';
import type { Outcome } from '../../model/connection.ts';
import { type Enforcement, enforcementOf, enforceSchema } from './enforcement.ts';
import { patternField } from './pattern-field.ts';
import { placeField } from './place-field.ts';
import type { Family, Place } from './places.ts';

/** What Waybill should report about a connection. A missing field is not compared. */
export type Label = {
  verdict?: string | undefined;
  /** One of these; several if capture sources, or runs, may rightly differ. */
  delivered: readonly string[];
  finding?: string | undefined;
  /** The newest DNS name of the responder; empty for none. */
  named?: string | undefined;
  /** How many connections it is reported as: more than one if another pod takes the address meanwhile. */
  connections: number;
};

export type Dial = {
  name: string;
  from: Place;
  to: Place;
  /** 0 for ICMP. */
  port: number;
  protocol: 'TCP' | 'UDP' | 'ICMP';
  family: Family;
  bytes: number;
  /** The name of a DNS query that is sent in place of the bytes; empty for none. */
  asks: string;
  /** The name and the address in a DNS reply that is sent in place of the bytes; empty for none. */
  forges: string;
  sourcePort: number | undefined;
  timeoutMs: number;
  /** What the network does, whatever the policies declare. */
  outcome: Outcome;
  label: Label;
};

export type Step =
  | { do: 'connect'; dial: Dial }
  | { do: 'open'; handle: string; dial: Dial; everyMs: number }
  | { do: 'close'; handle: string }
  | { do: 'parallel'; steps: readonly Step[] }
  | { do: 'wait'; ms: number }
  | { do: 'delete'; namespace: string; name: string }
  | { do: 'create'; file: string; addressAfterMs: number }
  | { do: 'apply'; file: string }
  | { do: 'remove'; kind: string; namespace: string; name: string }
  | { do: 'enforce'; handle: string; rule: Omit<Enforcement, 'order'> }
  | { do: 'lift'; handle: string };

const duration = patternField(/^\d{1,5}(ms|s)$/, 'a duration such as 500ms or 2s').transform((text) =>
  text.endsWith('ms') ? Number(text.slice(0, -2)) : Number(text.slice(0, -1)) * 1000,
);

export const domainPattern = /^[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?$/;
const dnsQuestion = patternField(new RegExp(`^(AAAA )?${domainPattern.source.slice(1)}`), '[AAAA ]NAME');

const dnsReply = patternField(new RegExp(`${domainPattern.source.slice(0, -1)} [0-9a-f.:]+$`), 'NAME ADDRESS');

const initiator = placeField(['pod', 'node', 'outside']);
const responder = placeField(['pod', 'service', 'node', 'outside', 'address']);

const deliveredWord = z.enum(['yes', 'no', 'unknown']);
const dialFields = {
  name: z.string().min(1).max(200).optional(),
  from: initiator,
  to: responder,
  port: z.int().min(1).max(65535).optional(),
  protocol: z.enum(['TCP', 'UDP', 'ICMP']).default('TCP'),
  family: z.enum(['ipv4', 'ipv6', 'both']).optional(),
  bytes: z.int().min(0).max(1_000_000).default(100),
  asks: dnsQuestion.optional(),
  forges: dnsReply.optional(),
  sourcePort: z.int().min(1).max(65535).optional(),
  timeout: duration.default(2500),
  outcome: z.enum(['established', 'refused', 'unanswered']).default('established'),
  verdict: z.enum(['allowed', 'undeclared', 'denied', 'unknown']).optional(),
  delivered: z.union([deliveredWord.transform((word) => [word]), z.array(deliveredWord).min(2)]).default([]),
  finding: z.enum(['bypass', 'blocked', 'undeclared', 'unevaluated', 'broken', 'grandfathered', 'none']).optional(),
  named: z.string().optional(),
  connections: z.int().min(1).max(10).default(1),
};
const dialSchema = z.strictObject({ ...dialFields, times: z.int().min(1).max(100).default(1) }).superRefine(checkDial);
const openSchema = z
  .strictObject({ ...dialFields, as: z.string().min(1).max(60), every: duration.default(200) })
  .superRefine(checkDial)
  .refine((open) => open.family !== 'both', { message: 'an open connection has one family', path: ['family'] })
  .refine((open) => open.protocol !== 'ICMP', { message: 'only TCP and UDP stay open', path: ['protocol'] });

const verbs = [
  'connect',
  'open',
  'close',
  'parallel',
  'wait',
  'delete',
  'create',
  'apply',
  'remove',
  'enforce',
  'lift',
] as const;
const podName = patternField(/^[^/ ]+\/[^/ ]+$/, 'NAMESPACE/NAME');

const stepSchema = z
  .strictObject({
    connect: dialSchema.optional(),
    open: openSchema.optional(),
    close: z.string().optional(),
    /** Its steps start together; the next step starts when all have ended. */
    get parallel(): z.ZodOptional<z.ZodType<Step[]>> {
      return trafficSchema.optional();
    },
    wait: duration.optional(),
    delete: podName.optional(),
    create: z.strictObject({ manifest: z.string(), addressAfter: duration.default(0) }).optional(),
    apply: z.string().optional(),
    remove: patternField(/^[A-Z]\w+ ([^/ ]+\/)?[^/ ]+$/, 'KIND NAMESPACE/NAME').optional(),
    enforce: enforceSchema.optional(),
    lift: z.string().optional(),
  })
  .transform((raw, context): Step[] => {
    const present = verbs.filter((verb) => raw[verb] !== undefined);
    if (present.length !== 1) {
      context.addIssue({ code: 'custom', message: `a step needs exactly one verb of: ${verbs.join(', ')}` });
      return z.NEVER;
    }
    return stepsOf(raw);
  });

/** Also the schema of `parallel`, which is a traffic script of its own. */
export const trafficSchema: z.ZodType<Step[]> = z.array(stepSchema).transform((steps) => steps.flat());

/** Every step in order, including those inside a `parallel`. */
export function allSteps(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => (step.do === 'parallel' ? allSteps(step.steps) : [step]));
}

type RawDial = Omit<z.infer<typeof dialSchema>, 'times'>;
type RawStep = Partial<{
  connect: z.infer<typeof dialSchema>;
  open: z.infer<typeof openSchema>;
  close: string;
  parallel: Step[];
  wait: number;
  delete: string;
  create: { manifest: string; addressAfter: number };
  apply: string;
  remove: string;
  enforce: z.infer<typeof enforceSchema>;
  lift: string;
}>;

function stepsOf(raw: { [Key in keyof RawStep]: RawStep[Key] | undefined }): Step[] {
  if (raw.connect !== undefined) {
    const oneRound = familiesOf(raw.connect).map((family) => connectStep(raw.connect!, family));
    return Array.from({ length: raw.connect.times }, () => oneRound).flat();
  }
  if (raw.open !== undefined) {
    const [family] = familiesOf(raw.open);
    return [{ do: 'open', handle: raw.open.as, dial: dialOf(raw.open, family!), everyMs: raw.open.every }];
  }
  if (raw.close !== undefined) return [{ do: 'close', handle: raw.close }];
  if (raw.parallel !== undefined) return [{ do: 'parallel', steps: raw.parallel }];
  if (raw.wait !== undefined) return [{ do: 'wait', ms: raw.wait }];
  if (raw.delete !== undefined) return [{ do: 'delete', ...namespacedName(raw.delete) }];
  if (raw.create !== undefined) {
    return [{ do: 'create', file: raw.create.manifest, addressAfterMs: raw.create.addressAfter }];
  }
  if (raw.apply !== undefined) return [{ do: 'apply', file: raw.apply }];
  if (raw.enforce !== undefined) {
    const { order: _, ...rule } = enforcementOf(raw.enforce, 0);
    return [{ do: 'enforce', handle: raw.enforce.as, rule }];
  }
  if (raw.lift !== undefined) return [{ do: 'lift', handle: raw.lift }];
  const [kind, object] = raw.remove!.split(' ');
  return [{ do: 'remove', kind: kind!, ...namespacedName(object!) }];
}

function connectStep(raw: RawDial, family: Family): Step {
  return { do: 'connect', dial: dialOf(raw, family) };
}

function familiesOf(raw: RawDial): Family[] {
  if (raw.to.kind === 'address') return [raw.to.address.includes(':') ? 'ipv6' : 'ipv4'];
  return raw.family === 'both' ? ['ipv4', 'ipv6'] : [raw.family ?? 'ipv4'];
}

function dialOf(raw: RawDial, family: Family): Dial {
  const { from, to, protocol, bytes, sourcePort, timeout, outcome } = raw;
  const { verdict, delivered, finding, named, connections } = raw;
  return {
    name: raw.name ?? '',
    from,
    to,
    port: raw.port ?? 0,
    protocol,
    family,
    bytes,
    asks: raw.asks ?? '',
    forges: raw.forges ?? '',
    sourcePort,
    timeoutMs: timeout,
    outcome,
    label: { verdict, delivered, finding, named, connections },
  };
}

function checkDial(
  raw: { port?: number | undefined; protocol: string; to: Place; family?: string | undefined },
  context: z.RefinementCtx,
): void {
  if ((raw.port === undefined) !== (raw.protocol === 'ICMP')) {
    const message = raw.protocol === 'ICMP' ? 'ICMP has no port' : 'TCP and UDP need a port';
    context.addIssue({ code: 'custom', path: ['port'], message });
  }
  if (raw.to.kind === 'address' && raw.family !== undefined) {
    context.addIssue({ code: 'custom', path: ['family'], message: 'the address in "to" already has a family' });
  }
}

function namespacedName(text: string): { namespace: string; name: string } {
  const slash = text.indexOf('/');
  return { namespace: text.slice(0, Math.max(0, slash)), name: text.slice(slash + 1) };
}
