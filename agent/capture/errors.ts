// What can go wrong with a capture that the user can fix. Each code is listed in docs/errors.md.
import { errorText, type Problem, ProblemError } from '../../model/problem.ts';

export const captureProblemCodes = [
  'cannot-capture',
  'source-refused',
  'capture-file-unreadable',
  'capture-file-unknown',
  'capture-file-truncated',
  'capture-file-corrupt',
  'capture-link-type-unknown',
] as const;

type Code = (typeof captureProblemCodes)[number];

function problem(code: Code, place: string, fault: string, fix: string): Problem {
  return { code, place, fault, fix };
}

export function cannotCapture(interfaceName: string, error: unknown): ProblemError {
  const cause = errorText(error);
  const fix = /permission/i.test(cause) ? 'run with the capability NET_RAW' : 'see that the interface is there and up';
  return new ProblemError(problem('cannot-capture', `interface ${interfaceName}`, cause, fix));
}

/** Each source has its own needs; the fault is the kernel's word. */
export function sourceRefused(source: string, error: unknown): Problem {
  const fault = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  return problem(
    'source-refused',
    source,
    fault,
    'give the agent what it needs (docs/install.md), or set capture.source',
  );
}

export function unreadableFile(file: string, error: NodeJS.ErrnoException): Problem {
  return problem(
    'capture-file-unreadable',
    file,
    `cannot be read (${error.code ?? error.message})`,
    'give the path of a pcap or pcapng file',
  );
}

export function unknownFormat(file: string): Problem {
  return problem(
    'capture-file-unknown',
    file,
    'is neither pcap nor pcapng',
    'give a file that tcpdump -w or Wireshark wrote',
  );
}

export function truncatedFile(file: string, offset: number, packets: number): Problem {
  return problem(
    'capture-file-truncated',
    `${file}, byte ${offset}`,
    `the file ends within a packet; the ${packets} packets before it were read`,
    'copy the file again, or end its writer first',
  );
}

/** `passedOver`: how many bytes stand between the fault and the next packet that could be read, or the end. */
export function corruptFile(
  file: string,
  offset: number,
  fault: string,
  skippedBytes: number,
  packets: number,
): Problem {
  return problem(
    'capture-file-corrupt',
    `${file}, byte ${offset}`,
    `${fault}; ${skippedBytes} bytes are passed over, the ${packets} packets before them were read`,
    'write or copy the file again',
  );
}

export function moreFaults(file: string, faults: number): Problem {
  return problem('capture-file-corrupt', file, `${faults} more faults of that kind`, 'write or copy the file again');
}

export function unknownLinkType(file: string, linkType: number): Problem {
  return problem(
    'capture-link-type-unknown',
    file,
    `link type ${linkType} cannot be decoded; its packets are lost`,
    'capture on Ethernet, on any, or raw IP',
  );
}
