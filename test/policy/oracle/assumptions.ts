// What is not known may be one way or the other: everything is worked out once for each way that it may be.

/** Answers a doubt for this world; the doubt is told by its reason and by who has it. */
export type Assume = (reason: string, policy: string) => boolean;

/** Runs `work` once for each combination of the answers that it asks for. */
export function underEveryAssumption<Result>(work: (ask: Assume) => Result): { results: Result[]; doubts: Doubts } {
  const results: Result[] = [];
  const doubts: Doubts = new Map();
  const answers: boolean[] = [];
  do {
    let asked = 0;
    results.push(
      work((reason, policy) => {
        addDoubt(doubts, reason, policy);
        if (asked === answers.length) answers.push(false);
        return answers[asked++]!;
      }),
    );
    while (answers.at(-1) === true) answers.pop();
    if (answers.length > 0) answers[answers.length - 1] = true;
  } while (answers.length > 0);
  return { results, doubts };
}

/** Policies by the reason for which something of them is not known. */
export type Doubts = Map<string, Set<string>>;

export function addDoubt(doubts: Doubts, reason: string, policy: string): void {
  const policies = doubts.get(reason) ?? new Set();
  doubts.set(reason, policies.add(policy));
}
