// The enforcement of a topology, in place of a CNI's: written by hand, never derived from a policy.
import { z } from 'zod';
import { placeField } from './place-field.ts';
import type { Place } from './places.ts';

/** Where packets are dropped: in netfilter's forward path of a node, or by a TC filter on a pod's interface, after ours. */
export const enforcementPoints = ['source-forward', 'destination-forward', 'source-tc', 'destination-tc'] as const;
/** A TCX program lives as long as the process that attached it: only a step attaches one. */
export const stepEnforcementPoints = [...enforcementPoints, 'destination-tcx'] as const;
export type EnforcementPoint = (typeof stepEnforcementPoints)[number];

export type Enforcement = {
  from: Place;
  to: Place;
  protocol: 'TCP' | 'UDP' | 'ICMP' | undefined;
  /** 0: every port. */
  port: number;
  where: EnforcementPoint;
  action: 'drop' | 'reset' | 'unreachable' | 'prohibited';
  /** Unique in a lab: identifies the filter when it is removed. */
  order: number;
};

const anywhere = placeField(['pod', 'service', 'node', 'outside', 'address', 'prefix', 'any']);
const matchFields = {
  from: anywhere,
  to: anywhere,
  protocol: z.enum(['TCP', 'UDP', 'ICMP']).optional(),
  port: z.int().min(1).max(65535).optional(),
};
const needsProtocol = { message: 'a port needs a protocol, TCP or UDP', path: ['protocol'] };
const portHasProtocol = (rule: { port?: number | undefined; protocol?: string | undefined }): boolean =>
  rule.port === undefined || rule.protocol === 'TCP' || rule.protocol === 'UDP';

export const dropSchema = z
  .strictObject({ ...matchFields, where: z.enum(enforcementPoints) })
  .refine(portHasProtocol, needsProtocol);

export const rejectSchema = z
  .strictObject({
    ...matchFields,
    where: z.enum(enforcementPoints),
    with: z.enum(['reset', 'unreachable', 'prohibited']).default('unreachable'),
  })
  .refine(portHasProtocol, needsProtocol)
  .refine((rule) => !rule.where.endsWith('-tc'), { message: 'a TC filter cannot reject, only drop', path: ['where'] })
  .refine((rule) => rule.with !== 'reset' || rule.protocol === 'TCP', {
    message: 'reset needs protocol TCP',
    path: ['with'],
  });

/** A drop that a step adds while traffic goes on; `as` is the name by which `lift` removes it. */
export const enforceSchema = z
  .strictObject({ ...matchFields, where: z.enum(stepEnforcementPoints), as: z.string().min(1).max(60) })
  .refine(portHasProtocol, needsProtocol)
  .superRefine(({ where, from, to, port }, context) => {
    const filteredPlace =
      where === 'source-tc' ? from : where === 'destination-forward' || where === 'source-forward' ? undefined : to;
    if (filteredPlace !== undefined && filteredPlace.kind !== 'pod') {
      const path = [filteredPlace === from ? 'from' : 'to'];
      context.addIssue({ code: 'custom', path, message: `${where} needs a pod here` });
    }
    if (where !== 'destination-tcx') return;
    if (port === undefined)
      context.addIssue({ code: 'custom', path: ['port'], message: 'destination-tcx needs a port' });
    if (from.kind !== 'pod' && from.kind !== 'any') {
      context.addIssue({ code: 'custom', path: ['from'], message: 'destination-tcx needs a pod or any here' });
    }
  });

/** `order` is unique in the lab. */
export function enforcementOf(
  rule: z.infer<typeof dropSchema> | z.infer<typeof rejectSchema> | z.infer<typeof enforceSchema>,
  order: number,
): Enforcement {
  const { from, to, protocol, port, where } = rule;
  return { from, to, protocol, port: port ?? 0, where, action: 'with' in rule ? rule.with : 'drop', order };
}
