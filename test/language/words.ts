// Words that Waybill does not use, each with the plain one. A pattern matches whole words in any case; `parts` are the same
// words inside of identifiers, such as `storeRoom` or `set_aside`.

export type BannedWord = {
  pattern: RegExp;
  /** A use of it, for the test that puts it back. */
  example: string;
  /** Parts of an identifier in order, each in lower case; several sequences mean any of them. */
  parts?: readonly (readonly string[])[];
  instead: string;
};

const words = (...all: string[]): string[][] => all.map((word) => [word]);

export const bannedWords: readonly BannedWord[] = [
  {
    pattern: /\b(told|tells?|telling)\b/gi,
    example: 'is told',
    parts: words('told', 'tell', 'tells', 'telling', 'untold'),
    instead: 'reported, reports, emits, logs, shows',
  },
  {
    pattern: /\bmend(s|ed|ing)?\b/gi,
    example: 'mends it',
    parts: words('mend', 'mends', 'mended', 'mending'),
    instead: 'fix; in an error: what to do',
  },
  {
    pattern: /\brooms?\b/gi,
    example: 'want of room',
    parts: words('room', 'rooms'),
    instead: 'capacity, buffer full; of code: folder',
  },
  {
    pattern: /\bput(s|ting)? out\b/gi,
    example: 'put out',
    parts: [['put', 'out']],
    instead: 'evicted (limit reached)',
  },
  {
    pattern: /\bbooks?\b/gi,
    example: 'the books',
    parts: words('book', 'books'),
    instead: 'packet accounting, counters',
  },
  {
    pattern: /(?<!\bservice[- ])\baccounts?\b(?! for\b)/gi,
    example: 'an account',
    parts: words('account', 'accounts'),
    instead: 'packet accounting, counters',
  },
  {
    pattern: /\bset(s|ting)? aside\b/gi,
    example: 'set aside',
    parts: [['set', 'aside']],
    instead: 'ignored, not tracked',
  },
  { pattern: /\bheld against\b/gi, example: 'held against', parts: [['held', 'against']], instead: 'violation' },
  {
    pattern: /\b(is|are) none\b|\bthat there (is|are) not\b/gi,
    example: 'is none',
    instead: 'invalid, unknown, missing',
  },
  { pattern: /\bby (itself|themselves)\b/gi, example: 'by itself', instead: 'automatically, alone' },
  { pattern: /\banew\b/gi, example: 'begins anew', parts: words('anew'), instead: 'again, re-…' },
  {
    pattern: /\b(stands?|stood|standing)\b/gi,
    example: 'it stands',
    parts: words('stand', 'stands', 'stood', 'standing', 'standings'),
    instead: 'is, is attached after',
  },
  { pattern: /\bwho else filters\b/gi, example: 'who else filters', instead: 'other TC/TCX programs on the interface' },
  {
    pattern: /\b(farewell|good-?bye)\b/gi,
    example: 'a farewell',
    parts: words('farewell', 'goodbye'),
    instead: 'shutdown',
  },
  { pattern: /\bways?\b/gi, example: 'the way', parts: words('way', 'ways'), instead: 'path, candidate' },
  { pattern: /\bcarried\b/gi, example: 'carried it', parts: words('carried', 'carriage'), instead: 'delivered' },
  { pattern: /\b(speaks?|spoke|spoken) of\b/gi, example: 'speaks of', instead: 'covers, selects' },
  {
    pattern: /\belsewhere\b/gi,
    example: 'declared elsewhere',
    parts: words('elsewhere'),
    instead: 'of policies: declared (Git)',
  },
  { pattern: /\bcrossings?\b/gi, example: 'a crossing', parts: words('crossing', 'crossings'), instead: 'flow' },
  { pattern: /\bwhat is judged\b/gi, example: 'what is judged', instead: 'evaluated connections' },
  { pattern: /\b(keeps?|kept|keeping) silent\b/gi, example: 'keeps silent', instead: 'to report nothing' },
];

/** Where a banned word is right. A test fails for an exception that nothing uses. */
export type Exception = { file: RegExp; text: RegExp; reason: string };

const statusField = /\bbooks(?=[?:,}!. )\]]|'\])|\bsetAside(?=[:,} )])/;
const quotedField = /`(books|setAside|elsewhere|mend)`/;

export const exceptions: readonly Exception[] = [
  {
    file: /./,
    text: /[Ss]erviceAccount|serviceaccount|service_account|SERVICE_ACCOUNT/,
    reason: "Kubernetes' own term",
  },
  { file: /^(docs\/(json|lab|glossary|findings)|CHANGELOG)\.md$/, text: quotedField, reason: 'JSON fields of 0.1.0' },
  {
    file: /^(lab\/(session|programs\/waybill)|collector\/store\/duckdb\/(append|duckdb)|cli\/output\/complaints)\.ts$/,
    text: quotedField,
    reason: 'comments that explain JSON fields of 0.1.0',
  },
  {
    file: /^(cli\/output\/complaints|test\/docs\/json-fields)\.ts$|^test\/lint\/rules\/.*\.jsonl$/,
    text: /\bmend(?=:|":)/,
    reason: 'JSON field of waybill lint',
  },
  {
    file: /^(cli\/status|collector\/(status|api\/api)|lab\/(session|programs\/waybill))\.ts$/,
    text: statusField,
    reason: 'JSON field of waybill status and of the lab',
  },
  {
    file: /^test\/(docs\/json-fields|lab\/(accounting|flooding-bridge|half-open-flood|topologies)\.test|scene\/api)\.ts$/,
    text: statusField,
    reason: 'JSON field of waybill status and of the lab',
  },
  {
    file: /^(model\/json|collector\/(findings\/explanation|store\/duckdb\/(append|duckdb)))\.ts$/,
    text: /\belsewhere(?=[?:, ])/,
    reason: 'JSON field of a connection and of the evidence of a finding',
  },
  {
    file: /^test\/(cli\/replay\.test|collector\/findings\/drift\.test|docs\/json-fields|collector\/store\/duckdb\.test)\.ts$/,
    text: /\belsewhere(?=:)|\$\.elsewhere/,
    reason: 'JSON field of a connection and of the evidence of a finding',
  },
  { file: /^test\/docs\/json\.test\.ts$/, text: /'elsewhere'/, reason: 'JSON field of a connection' },
  {
    file: /^(collector\/findings\/explanation|test\/scene\/findings)\.ts$/,
    text: /\bcarried(?=:)/,
    reason: 'JSON field of the evidence of a finding',
  },
];

/** Files that are not ours to word, or that list old words on purpose. */
export const unreadFiles = /^(package-lock\.json|LICENSE|test\/compat\/|test\/language\/|docs\/decisions\/0020-)/;
