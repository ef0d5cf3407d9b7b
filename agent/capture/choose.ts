// Chooses the capture source: the configured one, or the first that this node allows.
import { type Problem, ProblemError } from '../../model/problem.ts';
import type { CaptureSource } from './source.ts';

export type SourceName = CaptureSource['name'];
export type ChosenSource<Source> = { source: Source; reason: string };

/** Every source that captures live, the best first. */
export const sourceNames = ['ebpf', 'tap', 'pcap'] as const satisfies readonly SourceName[];

/** `open` throws if this node does not allow the source. Throws a ProblemError if none can be opened. */
export function chooseSource<Source>(
  configured: SourceName | 'auto',
  open: (name: SourceName) => Source,
  problemOf: (name: SourceName, error: unknown) => Problem,
): ChosenSource<Source> {
  const problems: Problem[] = [];
  for (const name of configured === 'auto' ? sourceNames : [configured]) {
    try {
      const source = open(name);
      if (configured !== 'auto') return { source, reason: 'configured' };
      const failures = problems.map(({ place, fault }) => `no ${place}: ${fault}`);
      return { source, reason: failures.length === 0 ? 'best available' : failures.join('; ') };
    } catch (error) {
      problems.push(problemOf(name, error));
    }
  }
  throw new ProblemError(...problems);
}
