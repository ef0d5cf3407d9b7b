// A NetworkPolicy, with the defaults and the validation of the API server (networking.k8s.io/v1; rules 2, 5, 6, 10, 17).
import type { Prefix } from '../../model/address.ts';
import { prefixContainsBytes } from '../../model/address.ts';
import type { PolicyPeer, PolicyPort, PolicyRule } from '../../model/kubernetes.ts';
import type { Direction } from '../../model/verdict.ts';
import {
  emptyPeer,
  endPortBelowPort,
  endPortWithoutPort,
  exceptOutsideBlock,
  missingField,
  mixedPeer,
  tooManyPolicyTypes,
  unknownPolicyType,
} from './errors.ts';
import type { Field } from './field.ts';
import { hasOnlyObjectFields } from './known-fields.ts';
import type { PolicyDraft } from './policy-draft.ts';
import { selector } from './selector.ts';
import { portName, portNumber, prefix, protocol } from './values.ts';

export function networkPolicy(object: Field): PolicyDraft {
  const complete = hasOnlyObjectFields(object);
  const spec = object.at('spec').only('podSelector', 'policyTypes', 'ingress', 'egress');
  const before = spec.faultCount;
  const podSelector = selector(spec.at('podSelector'));
  // A field beside spec may be meant for it.
  const podSelectorValid = spec.faultCount === before && (complete || spec.at('podSelector').given);
  const directions = directionsOf(spec);
  // The API server also validates the rules of a direction that policyTypes does not name.
  const ingress = rules(spec.at('ingress'), 'from');
  const egress = rules(spec.at('egress'), 'to');
  const kind = 'NetworkPolicy';
  return {
    valid: {
      kind,
      podSelector,
      ...(directions.includes('ingress') && { ingress }),
      ...(directions.includes('egress') && { egress }),
    },
    partial: {
      kind,
      directions: complete ? directions : ['ingress', 'egress'],
      ...(podSelectorValid && { podSelector }),
    },
  };
}

/** Rule 2. Both directions if the types are invalid. */
function directionsOf(spec: Field): Direction[] {
  const field = spec.at('policyTypes');
  const before = field.faultCount;
  const items = field.items();
  const types = items.map(policyType);
  // As the API server: the same type twice is valid, three items are not.
  if (items.length > 2) field.fault(tooManyPolicyTypes(items.length));
  if (field.faultCount > before) return ['ingress', 'egress'];
  const { value: egress } = spec.at('egress');
  if (types.length === 0) return Array.isArray(egress) && egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
  return (['ingress', 'egress'] as const).filter((direction) => types.includes(direction));
}

function policyType(field: Field): Direction | undefined {
  const type = field.text();
  if (type === 'Ingress') return 'ingress';
  if (type === 'Egress') return 'egress';
  if (type !== undefined || !field.given) field.fault(unknownPolicyType(type ?? ''));
  return undefined;
}

function rules(list: Field, peersName: 'from' | 'to'): PolicyRule[] {
  return list.items().map((rule) => {
    rule.only(peersName, 'ports');
    const peers = rule.at(peersName).items();
    const ports = rule.at('ports').items();
    return { peers: peers.flatMap((item) => peer(item) ?? []), ports: ports.map(policyPort) };
  });
}

function peer(field: Field): PolicyPeer | undefined {
  field.only('podSelector', 'namespaceSelector', 'ipBlock');
  const block = field.at('ipBlock');
  const pods = field.at('podSelector');
  const namespaces = field.at('namespaceSelector');
  if (block.given) {
    if (pods.given || namespaces.given) field.fault(mixedPeer());
    return ipBlock(block);
  }
  if (!pods.given && !namespaces.given) field.fault(emptyPeer());
  return {
    ...(pods.given && { podSelector: selector(pods) }),
    ...(namespaces.given && { namespaceSelector: selector(namespaces) }),
  };
}

function ipBlock(field: Field): PolicyPeer | undefined {
  field.only('cidr', 'except');
  const cidrField = field.at('cidr');
  if (!cidrField.given) cidrField.fault(missingField('cidr'));
  const cidr = prefix(cidrField);
  const except = field
    .at('except')
    .items()
    .flatMap((item) => {
      const inner = prefix(item);
      if (inner === undefined || cidr === undefined) return [];
      if (!isStrictSubset(inner, cidr)) item.fault(exceptOutsideBlock(inner.text, cidr.text));
      return [inner];
    });
  return cidr === undefined ? undefined : { ipBlock: { cidr, except } };
}

/** The API server refuses an exception of the whole block. */
function isStrictSubset(inner: Prefix, outer: Prefix): boolean {
  return inner.bits > outer.bits && prefixContainsBytes(outer, inner.bytes);
}

function policyPort(field: Field): PolicyPort {
  field.only('protocol', 'port', 'endPort');
  const portField = field.at('port');
  const port = typeof portField.value === 'string' ? portName(portField) : portNumber(portField, 'port');
  const endField = field.at('endPort');
  const endPort = portNumber(endField, 'endPort');
  if (endPort !== undefined) {
    if (typeof portField.value === 'string') endField.fault(endPortWithoutPort(endPort, portField.value));
    else if (!portField.given) endField.fault(endPortWithoutPort(endPort, undefined));
    else if (typeof port === 'number' && endPort < port) endField.fault(endPortBelowPort(endPort, port));
  }
  return {
    protocol: protocol(field.at('protocol')),
    ...(port !== undefined && { port }),
    ...(endPort !== undefined && { endPort }),
  };
}
