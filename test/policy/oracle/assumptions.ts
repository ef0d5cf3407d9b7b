// For each fact that is not known both answers are possible: runs a computation once for each combination of answers.

/** The assumed answer for the fact that `reason` and `policy` identify. */
export type Assume = (reason: string, policy: string) => boolean;

/** Runs `work` once for each combination of the answers that it requests. */
export function underEveryAssumption<Result>(work: (ask: Assume) => Result): {
  results: Result[];
  unknownReasons: UnknownReasons;
} {
  const results: Result[] = [];
  const unknownReasons: UnknownReasons = new Map();
  const answers: boolean[] = [];
  do {
    let asked = 0;
    results.push(
      work((reason, policy) => {
        addUnknownReason(unknownReasons, reason, policy);
        if (asked === answers.length) answers.push(false);
        return answers[asked++]!;
      }),
    );
    while (answers.at(-1) === true) answers.pop();
    if (answers.length > 0) answers[answers.length - 1] = true;
  } while (answers.length > 0);
  return { results, unknownReasons };
}

/** The policies of each reason for which something is not known. */
export type UnknownReasons = Map<string, Set<string>>;

export function addUnknownReason(unknownReasons: UnknownReasons, reason: string, policy: string): void {
  const policies = unknownReasons.get(reason) ?? new Set();
  unknownReasons.set(reason, policies.add(policy));
}
