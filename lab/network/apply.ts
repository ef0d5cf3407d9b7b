// Applies a network plan with few processes: one batch for all namespaces, one for the links of each namespace, then one
// shell for the inside of each namespace.
import { run } from '../system/run.ts';
import type { NamespacePlan, NetworkPlan } from './plan.ts';

export async function applyPlan({ namespaces, links, inside }: NetworkPlan): Promise<void> {
  await run('ip', ['-batch', '-'], namespaces.map((name) => `netns add ${name}`).join('\n'));
  await makeLinks(links);
  await Promise.all(inside.map(applyInside));
}

/** Creates both ends directly in their namespaces: no name is taken in ours, not even for a moment. */
export async function makeLinks(links: NetworkPlan['links']): Promise<void> {
  const byNamespace = Map.groupBy(links, (link) => link.namespace);
  for (const [namespace, made] of byNamespace) {
    const lines = made.map(
      ({ name, peerName, peerNamespace }) => `link add ${name} type veth peer name ${peerName} netns ${peerNamespace}`,
    );
    await run('ip', ['-n', namespace, '-batch', '-'], lines.join('\n'));
  }
}

export async function applyInside(plan: NamespacePlan): Promise<void> {
  const script = [
    'set -e',
    ...plan.settings,
    ...heredoc('ip -batch -', plan.ip),
    ...heredoc('bridge -batch -', plan.bridge),
    ...heredoc('nft -f -', plan.nft),
    ...plan.after,
  ].join('\n');
  await run('nsenter', [`--net=/run/netns/${plan.namespace}`, 'sh', '-s'], script);
}

function heredoc(command: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${command} <<'END_OF_INPUT'`, ...lines, 'END_OF_INPUT'];
}
