// Problems of a capture that the user can fix. Each code is listed in docs/errors.md.
import { type LossReason, lossReasons } from '../../accounting/reasons.ts';
import { errorText, type Problem, ProblemError } from '../../model/problem.ts';

export const captureProblemCodes = [
  'cannot-capture',
  'source-refused',
  'capture-file-unreadable',
  'capture-file-unknown',
  'capture-file-truncated',
  'capture-file-corrupt',
  'capture-link-type-unknown',
  'capture-packets-lost',
  'capture-clock-set',
  'capture-connections-evicted',
  'capture-files-order',
] as const;

type Code = (typeof captureProblemCodes)[number];

/** Of compressed content. `large-window`: it is valid, but needs more memory than Waybill gives it. */
export type Damage = 'truncated' | 'corrupt' | 'large-window';

function problem(code: Code, place: string, fault: string, fix: string): Problem {
  return { code, place, fault, fix };
}

export function cannotCapture(interfaceName: string, error: unknown): ProblemError {
  const cause = errorText(error);
  const fix = /permission/i.test(cause)
    ? 'give the agent the capability NET_RAW'
    : 'check that the interface exists and is up';
  return new ProblemError(problem('cannot-capture', `interface ${interfaceName}`, cause, fix));
}

/** The fault is the first line of the error, mostly in the kernel's words. */
export function sourceRefused(source: string, error: unknown): Problem {
  const fault = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  return problem(
    'source-refused',
    source,
    fault,
    'give the agent what this source needs (docs/install.md), or set another capture.source',
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

/** `offset` is in the compressed file, and approximate. */
export function damagedContent(
  file: string,
  { damage, compression, offset }: { damage: Damage; compression: string; offset: number },
  packets: number,
): Problem {
  const place = `${file}, near byte ${offset}`;
  const before = `read ${counted(packets, 'packet')} before it`;
  if (damage === 'truncated') {
    const fix = 'stop the program that writes the file, or copy the file again';
    return problem('capture-file-truncated', place, `its ${compression} content ends too early; ${before}`, fix);
  }
  if (damage === 'large-window') {
    const fix = 'decompress it first, or compress it again without --long and --ultra';
    return problem('capture-file-unknown', place, `its zstd window is larger than 128 MiB; ${before}`, fix);
  }
  const fix = 'copy the file again, or compress it again';
  return problem('capture-file-corrupt', place, `its ${compression} content is corrupt; ${before}, none after it`, fix);
}

export function compressedFile(file: string, compression: string): Problem {
  return problem(
    'capture-file-unknown',
    file,
    `is compressed with ${compression}`,
    'decompress it first, or compress it with gzip or zstd',
  );
}

export function unknownFormat(file: string): Problem {
  return problem(
    'capture-file-unknown',
    file,
    'is neither pcap nor pcapng',
    'give a file that tcpdump -w or Wireshark wrote, also compressed with gzip or zstd',
  );
}

export function truncatedFile(file: string, offset: number, packets: number): Problem {
  return problem(
    'capture-file-truncated',
    `${file}, byte ${offset}`,
    `the file ends within a packet; read ${counted(packets, 'packet')} before it`,
    'stop the program that writes the file, or copy the file again',
  );
}

/** `skippedBytes`: the bytes from the fault to the next valid packet, or to the end. */
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
    `${fault}; skipped ${counted(skippedBytes, 'byte')}, read ${counted(packets, 'packet')} before them`,
    'copy the file again, or capture again',
  );
}

export function moreFaults(file: string, faults: number): Problem {
  return problem(
    'capture-file-corrupt',
    file,
    `${faults} more ${faults === 1 ? 'fault' : 'faults'} of this kind`,
    'copy the file again, or capture again',
  );
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

export function unknownLinkType(file: string, linkType: number): Problem {
  return problem(
    'capture-link-type-unknown',
    file,
    `link type ${linkType} is not supported; its packets are lost`,
    'capture on an Ethernet or raw IP interface, or on any',
  );
}

/** Of capture files. A finding may be missing, or say the wrong outcome. */
export function packetsLost(reason: LossReason, packets: number, seen: number): Problem {
  const { fault, fix } = fileLosses[reason] ?? { fault: lossReasons[reason], fix: 'capture again' };
  return problem(
    'capture-packets-lost',
    reason,
    `${packets} of ${counted(seen, 'packet')} ${packets === 1 ? 'is' : 'are'} in no connection: ${fault}`,
    `${fix}, or accept the loss with --allow-loss`,
  );
}

const fileLosses: Partial<Record<LossReason, { fault: string; fix: string }>> = {
  corrupt: { fault: lossReasons.corrupt, fix: 'capture whole packets (tcpdump -s 0)' },
  'fragment-without-first': {
    fault: 'the first fragment is missing, so the ports are not known',
    fix: 'capture without a filter on ports, and from before the traffic',
  },
  'table-full': { fault: 'the connection table was full', fix: 'raise --max-connections' },
  unopened: { fault: lossReasons.unopened, fix: 'capture on a wired interface' },
  'nested-too-deep': { fault: lossReasons['nested-too-deep'], fix: 'capture inside the outer tunnels' },
  'capture-dropped': {
    fault: 'the statistics of the file say that the program that captured dropped them',
    fix: 'capture again with a larger buffer (dumpcap -B)',
  },
  'after-invalid-bytes': {
    fault: 'they follow invalid bytes, and may be inside the data of a packet',
    fix: 'copy the file again, or capture again',
  },
};

/** `setBack`: times; `outliers`: packets with a time far from that of their neighbours. */
export function clockSet(setBack: number, outliers: number): Problem {
  const faults = [
    ...(setBack > 0 ? [`the clock was set back ${counted(setBack, 'time')}`] : []),
    ...(outliers > 0
      ? [`${counted(outliers, 'packet')} got the time of the packet before, because its own is far off`]
      : []),
  ];
  return problem(
    'capture-clock-set',
    'times of the packets',
    faults.join(', and '),
    'compare times in the findings with care',
  );
}

export function filesOutOfOrder(file: string): Problem {
  return problem(
    'capture-files-order',
    file,
    'its packets are older than those of the file before, so a connection in both counts twice',
    'give the files oldest first',
  );
}

export function connectionsEvicted(connections: number): Problem {
  return problem(
    'capture-connections-evicted',
    counted(connections, 'connection'),
    'evaluated before the last packet, so a later packet counts as another connection',
    'raise --max-connections',
  );
}
