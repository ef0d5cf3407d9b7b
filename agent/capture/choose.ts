// Which source captures: the one that is asked for, or the first that the kernel lets us have.
import { type Problem, ProblemError } from '../../model/problem.ts';
import type { CaptureSource } from './source.ts';

export type SourceName = CaptureSource['name'];
export type ChosenSource<Source> = { source: Source; reason: string };

/** Every source that captures live, the best first. */
export const sourceNames = ['ebpf', 'tap', 'pcap'] as const satisfies readonly SourceName[];

/** `open` throws where a source cannot be had. Throws a ProblemError where none can. */
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
      return { source, reason: failures.length === 0 ? 'the kernel lets us' : failures.join('; ') };
    } catch (error) {
      problems.push(problemOf(name, error));
    }
  }
  throw new ProblemError(...problems);
}
