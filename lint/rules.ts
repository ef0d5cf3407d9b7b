// The lint rules. Each has a file in rules/, a row in docs/lint.md and a folder in test/lint/rules/.
import type { LintRule } from './complaint.ts';
import { ambientMesh } from './rules/ambient-mesh.ts';
import { ambiguousPriority } from './rules/ambiguous-priority.ts';
import { contradiction } from './rules/contradiction.ts';
import { directionLeftOut } from './rules/direction-left-out.ts';
import { failsClosed } from './rules/fails-closed.ts';
import { invalidPolicy } from './rules/invalid-policy.ts';
import { matchesNothing } from './rules/matches-nothing.ts';
import { noDns } from './rules/no-dns.ts';
import { noPolicy } from './rules/no-policy.ts';
import { noSuchPort } from './rules/no-such-port.ts';
import { notSelected } from './rules/not-selected.ts';
import { openEgress } from './rules/open-egress.ts';
import { probablyUdp } from './rules/probably-udp.ts';
import { selectsNothing } from './rules/selects-nothing.ts';
import { servicePort } from './rules/service-port.ts';
import { shadowed } from './rules/shadowed.ts';
import { undefinedPorts } from './rules/undefined-ports.ts';

export const lintRules: readonly LintRule[] = [
  ambientMesh,
  ambiguousPriority,
  contradiction,
  directionLeftOut,
  failsClosed,
  invalidPolicy,
  matchesNothing,
  noDns,
  noPolicy,
  noSuchPort,
  notSelected,
  openEgress,
  probablyUdp,
  selectsNothing,
  servicePort,
  shadowed,
  undefinedPorts,
];
