// Egress to the whole world, for which the policy gives no reason.
import { parsePrefix } from '../../model/address.ts';
import { type Block, prefixesCover } from '../blocks.ts';
import type { LintRule, RuleComplaint } from '../complaint.ts';
import type { RuleView } from '../rule-view.ts';
import { portsText } from '../text.ts';

/** Says why on the policy; any text will do. */
export const reasonAnnotation = 'waybill.io/reason';

export const openEgress: LintRule = {
  name: 'open-egress',
  severity: 'medium',
  summary:
    'egress to `0.0.0.0/0` or `::/0`, or to everyone (no `to`), on whatever ports, without the annotation ' +
    '`waybill.io/reason` on the policy. `low` where an `except` narrows it, or where it is port 53 ' +
    'alone',
  *find(declared) {
    for (const rule of declared.rules) {
      if (rule.direction !== 'egress' || rule.action !== 'Accept' || rule.notUnderstood !== undefined) continue;
      const reason = declared.manifestFields(rule.policy)?.value(['metadata', 'annotations', reasonAnnotation]);
      if (typeof reason !== 'string' || reason.trim() === '') yield* complaintsOfRule(rule);
    }
  },
};

function* complaintsOfRule({ policy: object, peers, ports, path }: RuleView): Iterable<RuleComplaint> {
  const fix = `name whom it needs, or say why in the annotation ${reasonAnnotation}`;
  if (peers === 'everyone') {
    const numbered = ports.filter(({ port }) => typeof port !== 'string');
    // Rule 10: a port's name is looked up in pods, and nobody else has one.
    if (ports.length > 0 && numbered.length === 0) return;
    const fault = `it allows egress to everyone on ${ports.length === 0 ? 'every port' : portsText(numbered)}`;
    yield { object, path, fault, fix, ...(ports.length > 0 && ports.every(isDns) && { severity: 'low' as const }) };
    return;
  }
  const blocks = peers.flatMap((peer) => (peer.kind === 'addresses' ? peer.blocks : []));
  for (const block of blocks) {
    if (block.cidr.bits !== 0) continue;
    const except = block.except.length === 0 ? '' : ' but for its except';
    const fault = `it allows egress to ${block.cidr.text}${except}, without a reason`;
    yield { object, path: block.path, fault, fix, ...(except !== '' && { severity: 'low' as const }) };
  }
  for (const family of families) {
    if (!coverTogether(blocks, family)) continue;
    yield { object, path, fault: `its blocks together allow egress to ${family.text}, without a reason`, fix };
  }
}

/** Meant for the cluster's DNS, and written so by most: it opens less than it says, and a way out for who hides in names. */
function isDns({ port, endPort }: RuleView['ports'][number]): boolean {
  return port === dnsPort && endPort === undefined;
}

const dnsPort = 53;

const families = ['0.0.0.0/0', '::/0'].map((text) => parsePrefix(text)!);

/** `0.0.0.0/1` and `128.0.0.0/1` say the same. */
function coverTogether(blocks: readonly Block[], family: Block['cidr']): boolean {
  const pieces = blocks.filter(({ cidr, except }) => except.length === 0 && cidr.bytes.length === family.bytes.length);
  const isWhole = blocks.some(({ cidr }) => cidr.bits === 0 && cidr.bytes.length === family.bytes.length);
  return (
    !isWhole &&
    prefixesCover(
      pieces.map(({ cidr }) => cidr),
      family,
    )
  );
}
