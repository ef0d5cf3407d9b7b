// What stands for a CNI's enforcement in a topology: written by hand, never derived from a policy.
import { z } from 'zod';
import { placeField } from './place-field.ts';
import type { Place } from './places.ts';

/** Where an enforcer stands: netfilter's forward path of a node, or a filter on a pod's interface behind ours. */
export const enforcementPoints = ['source-forward', 'destination-forward', 'source-tc', 'destination-tc'] as const;
/** A TCX program lives as long as who attached it: only a step puts one in place. */
export const latePoints = [...enforcementPoints, 'destination-tcx'] as const;
export type EnforcementPoint = (typeof latePoints)[number];

export type Enforcement = {
  from: Place;
  to: Place;
  protocol: 'TCP' | 'UDP' | 'ICMP' | undefined;
  /** 0: every port. */
  port: number;
  where: EnforcementPoint;
  action: 'drop' | 'reset' | 'unreachable' | 'prohibited';
  /** No two of a lab have the same: by it a filter is found again. */
  order: number;
};

const anywhere = placeField(['pod', 'service', 'node', 'outside', 'address', 'prefix', 'any']);
const crossing = {
  from: anywhere,
  to: anywhere,
  protocol: z.enum(['TCP', 'UDP', 'ICMP']).optional(),
  port: z.int().min(1).max(65535).optional(),
};
const needsProtocol = { message: 'a port needs a protocol, TCP or UDP', path: ['protocol'] };
const portHasProtocol = (rule: { port?: number | undefined; protocol?: string | undefined }): boolean =>
  rule.port === undefined || rule.protocol === 'TCP' || rule.protocol === 'UDP';

export const dropSchema = z
  .strictObject({ ...crossing, where: z.enum(enforcementPoints) })
  .refine(portHasProtocol, needsProtocol);

export const rejectSchema = z
  .strictObject({
    ...crossing,
    where: z.enum(enforcementPoints),
    with: z.enum(['reset', 'unreachable', 'prohibited']).default('unreachable'),
  })
  .refine(portHasProtocol, needsProtocol)
  .refine((rule) => !rule.where.endsWith('-tc'), { message: 'a TC filter cannot reject, only drop', path: ['where'] })
  .refine((rule) => rule.with !== 'reset' || rule.protocol === 'TCP', {
    message: 'only TCP is reset',
    path: ['with'],
  });

/** A drop that comes while traffic goes on; by `as` it is lifted again. */
export const enforceSchema = z
  .strictObject({ ...crossing, where: z.enum(latePoints), as: z.string().min(1).max(60) })
  .refine(portHasProtocol, needsProtocol)
  .superRefine(({ where, from, to, port }, context) => {
    const filtersAt =
      where === 'source-tc' ? from : where === 'destination-forward' || where === 'source-forward' ? undefined : to;
    if (filtersAt !== undefined && filtersAt.kind !== 'pod') {
      const path = [filtersAt === from ? 'from' : 'to'];
      context.addIssue({ code: 'custom', path, message: `${where} stands on the interface of a pod` });
    }
    if (where !== 'destination-tcx') return;
    if (port === undefined)
      context.addIssue({ code: 'custom', path: ['port'], message: 'destination-tcx needs a port' });
    if (from.kind !== 'pod' && from.kind !== 'any') {
      context.addIssue({ code: 'custom', path: ['from'], message: 'destination-tcx takes a pod or any' });
    }
  });

/** `order` is this rule's own in its lab. */
export function enforcementOf(
  rule: z.infer<typeof dropSchema> | z.infer<typeof rejectSchema> | z.infer<typeof enforceSchema>,
  order: number,
): Enforcement {
  const { from, to, protocol, port, where } = rule;
  return { from, to, protocol, port: port ?? 0, where, action: 'with' in rule ? rule.with : 'drop', order };
}
