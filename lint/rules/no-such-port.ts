// Rule 10: a named port is a container port of the responder with the same protocol.
import { protocolName } from '../../model/protocol.ts';
import { listText } from '../../policy/list-text.ts';
import type { LintRule } from '../complaint.ts';
import { responderPorts } from '../responder-ports.ts';

export const noSuchPort: LintRule = {
  name: 'no-such-port',
  severity: 'medium',
  summary: 'a named port that no container of the responders has, or that has another protocol there',
  *find(declared) {
    for (const rule of declared.rules) {
      const named = rule.ports.filter(({ port }) => typeof port === 'string');
      if (named.length === 0) continue;
      const ports = responderPorts(rule, declared);
      if (ports === undefined) continue; // matches-nothing and selects-nothing report it
      for (const { port, protocol, path } of named) {
        const portsOfName = ports.filter(({ name }) => name === port);
        if (portsOfName.some((one) => protocol === undefined || one.protocol === protocol)) continue;
        const object = rule.policy;
        const whose = rule.direction === 'ingress' ? 'pods that the policy selects' : 'pods that the rule covers';
        const other = portsOfName[0];
        if (other !== undefined) {
          const has = protocolName(other.protocol);
          const fault = `port "${port}" is ${has} in the ${whose}, but ${protocolName(protocol!)} in the rule`;
          yield { object, path, fault, fix: `set protocol: ${has}` };
          continue;
        }
        if (declared.mayHaveMore(undefined)) continue;
        const names = [...new Set(ports.map(({ name }) => name))].filter((name) => name !== '').sort();
        const choices = names.length === 0 ? 'a number' : `a number, or one of ${listText(names)}`;
        const fault = `no container of the ${whose} has a port named "${port}" in this folder, so it matches nothing`;
        yield { object, path, fault, fix: `set ${choices}` };
      }
    }
  },
};
