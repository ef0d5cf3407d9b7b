// Egress to all addresses without a reason on the policy.
import { parsePrefix } from '../../model/address.ts';
import { type Block, prefixesCover } from '../blocks.ts';
import type { LintRule, RuleComplaint } from '../complaint.ts';
import type { RuleView } from '../rule-view.ts';
import { portsText } from '../text.ts';

/** The annotation on the policy with the reason; any text is valid. */
export const reasonAnnotation = 'waybill.io/reason';

export const openEgress: LintRule = {
  name: 'open-egress',
  severity: 'medium',
  summary:
    'egress to `0.0.0.0/0`, to `::/0` or to everyone (no `to`), without the annotation `waybill.io/reason` on the ' +
    'policy (`low` with an `except`, or for port 53 only)',
  *find(declared) {
    for (const rule of declared.rules) {
      if (rule.direction !== 'egress' || rule.action !== 'Accept' || rule.notUnderstood !== undefined) continue;
      if (rule.undefinedPorts !== undefined && rule.ports.length === 0) continue;
      const reason = declared.manifestFields(rule.policy)?.value(['metadata', 'annotations', reasonAnnotation]);
      if (typeof reason !== 'string' || reason.trim() === '') yield* complaintsOfRule(rule);
    }
  },
};

function* complaintsOfRule({ policy: object, peers, ports, path }: RuleView): Iterable<RuleComplaint> {
  const fix = `name the destinations, or give the reason in the annotation ${reasonAnnotation}`;
  if (peers === 'everyone') {
    const numbered = ports.filter(({ port }) => typeof port !== 'string');
    // Rule 10: only pods have named ports.
    if (ports.length > 0 && numbered.length === 0) return;
    const fault = `it allows egress to everyone on ${ports.length === 0 ? 'every port' : portsText(numbered)}`;
    yield { object, path, fault, fix, ...(ports.length > 0 && ports.every(isDns) && { severity: 'low' as const }) };
    return;
  }
  const blocks = peers.flatMap((peer) => (peer.kind === 'addresses' ? peer.blocks : []));
  for (const block of blocks) {
    if (block.cidr.bits !== 0) continue;
    const except = block.except.length === 0 ? '' : ' minus its except';
    const fault = `it allows egress to ${block.cidr.text}${except}, without a reason`;
    yield { object, path: block.path, fault, fix, ...(except !== '' && { severity: 'low' as const }) };
  }
  for (const family of families) {
    if (!coverTogether(blocks, family)) continue;
    yield { object, path, fault: `its blocks together allow egress to ${family.text}, without a reason`, fix };
  }
}

/** Usually meant for the cluster's DNS. It still allows DNS tunnels to the internet, so it is `low`. */
function isDns({ port, endPort }: RuleView['ports'][number]): boolean {
  return port === dnsPort && endPort === undefined;
}

const dnsPort = 53;

const families = ['0.0.0.0/0', '::/0'].map((text) => parsePrefix(text)!);

/** For example `0.0.0.0/1` and `128.0.0.0/1`. */
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
