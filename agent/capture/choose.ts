// Which source captures: the one that is asked for, or the first that the kernel lets us have.
import { type Problem, ProblemError } from '../../model/problem.ts';
import type { CaptureSource } from './source.ts';

export type SourceName = CaptureSource['name'];
export type Chosen<Source> = { source: Source; reason: string };

/** Every source that captures live, the best first. */
export const sourceNames = ['ebpf', 'tap', 'pcap'] as const satisfies readonly SourceName[];

/** `open` throws where a source cannot be had. Throws a ProblemError where none can. */
export function chooseSource<Source>(
  wanted: SourceName | 'auto',
  open: (name: SourceName) => Source,
  cannot: (name: SourceName, error: unknown) => Problem,
): Chosen<Source> {
  const problems: Problem[] = [];
  for (const name of wanted === 'auto' ? sourceNames : [wanted]) {
    try {
      const source = open(name);
      if (wanted !== 'auto') return { source, reason: 'configured' };
      const refused = problems.map(({ place, fault }) => `no ${place}: ${fault}`);
      return { source, reason: refused.length === 0 ? 'the kernel lets us' : refused.join('; ') };
    } catch (error) {
      problems.push(cannot(name, error));
    }
  }
  throw new ProblemError(...problems);
}
