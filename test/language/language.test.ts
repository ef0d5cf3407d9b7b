// The language of the project: banned words in every text and identifier, long sentences in docs and help, and a glossary
// that is complete. CONTRIBUTING.md has the rules; `node test/language/violations.ts [PATH…]` lists violations.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import t from 'tap';
import { ignoredReasons, lossReasons } from '../../accounting/reasons.ts';
import { agentSchema } from '../../agent/config.ts';
import { program } from '../../cli/waybill.ts';
import { verdictNames } from '../../collector/api/parameters.ts';
import { collectorSchema } from '../../collector/config.ts';
import { settingNames } from '../../config/setting-names.ts';
import { deliveryUnknownReasons, outcomes } from '../../model/connection.ts';
import { placements } from '../../model/endpoint.ts';
import { severities } from '../../model/finding.ts';
import { findingKinds } from '../../model/finding-kind.ts';
import { maxWords, sentencesOf, sentencesOfMarkdown, wordCount } from './sentences.ts';
import { allowedBy, identifierParts, root, violationsOf, wordedFiles } from './violations.ts';
import { bannedWords, exceptions } from './words.ts';

t.test('no file uses a banned word', async (t) => {
  const files = wordedFiles();
  t.ok(files.length > 500, `${files.length} files were read`);
  for (const file of files) {
    for (const { line, found, instead, text } of violationsOf(file, readFileSync(join(root, file), 'utf8'))) {
      t.fail(`${file}:${line}: "${found}", use ${instead}: ${text.trim()}`);
    }
  }
});

t.test('every exception is used', async (t) => {
  const texts = wordedFiles().map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
  for (const exception of exceptions) {
    const isUsed = texts.some(
      ({ file, text }) => exception.file.test(file) && allowedBy(exception, file, text).length > 0,
    );
    t.ok(isUsed, `${exception.file} ${exception.text}: ${exception.reason}`);
  }
});

t.test('a banned word is found wherever it is put back', async (t) => {
  for (const { example, pattern, parts = [] } of bannedWords) {
    t.match(violationsOf('docs/page.md', `Some text, then ${example} and more.`), [{}], `a page: ${example}`);
    t.match(violationsOf('cli/verb.ts', `.description('Some ${example} here')`), [{}], `help: ${example}`);
    t.match(violationsOf('agent/main.ts', `log.warn({ why }, '${example}')`), [{}], `a log: ${example}`);
    t.match(violationsOf('agent/capture/errors.ts', `  fault: \`it ${example}\`,`), [{}], `an error: ${example}`);
    const [first, ...rest] = example.split(' ');
    const broken = `// A comment that ends with ${first}\n  // ${rest.join(' ')} and goes on.`;
    t.match(violationsOf('cli/verb.ts', broken), [{}], `a comment over two lines: ${example}`);
    for (const sequence of parts) {
      const camel = sequence.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
      t.match(violationsOf('cli/verb.ts', `const store${camel} = 1;`), [{}], `store${camel}`);
      t.match(violationsOf('agent/program.c', `int the_${sequence.join('_')}_x;`), [{}], `the_${sequence.join('_')}_x`);
    }
    t.ok(pattern.flags.includes('g') && pattern.flags.includes('i'), `${pattern} finds all, in any case`);
  }
});

t.test('words and parts of identifiers match as a whole', async (t) => {
  const isFound = (text: string) => violationsOf('cli/verb.ts', text).length > 0;
  t.same(identifierParts('storeRoom'), ['store', 'room']);
  t.same(identifierParts('MAX_HTTPWays'), ['max', 'http', 'ways']);
  for (const clean of ['gateway', 'roommate', 'defaultGateway', 'always', 'accounting', 'standard', 'notebook']) {
    t.notOk(isFound(clean), clean);
  }
  for (const banned of [
    'storeRoom',
    'room',
    'ROOM',
    'fourWay',
    'way_in',
    'setAside',
    'isTold',
    '#told',
    'told1',
    '_told',
    'way2',
  ]) {
    t.ok(isFound(banned), banned);
  }
});

t.test('no sentence of a page has more than 30 words', async (t) => {
  const pages = wordedFiles().filter((file) => file.endsWith('.md'));
  t.ok(pages.length > 20, `${pages.length} pages were read`);
  for (const page of pages) {
    const sentences = sentencesOfMarkdown(readFileSync(join(root, page), 'utf8'));
    t.ok(sentences.length > 0, `${page} has sentences`);
    for (const sentence of sentences) {
      if (wordCount(sentence) > maxWords) t.fail(`${page}: ${wordCount(sentence)} words: ${sentence}`);
    }
  }
});

t.test('no sentence of the help has more than 30 words, and every flag has help', async (t) => {
  const commands = await allCommands();
  t.ok(commands.length > 9, `${commands.length} verbs were read`);
  for (const command of commands) {
    const texts = [command.description(), ...command.options.map(({ description }) => description)];
    for (const option of command.options) t.ok(option.description, `${command.name()} ${option.flags}`);
    for (const text of texts) checkLength(t, `${command.name()} --help`, text);
  }
  for (const schema of [agentSchema, collectorSchema]) {
    for (const { key, setting } of settingNames(schema)) checkLength(t, key, setting.help);
  }
});

t.test('long sentences are counted right', async (t) => {
  const long = Array.from({ length: 31 }, (_, i) => `word${i}`).join(' ');
  t.same(sentencesOfMarkdown(`# Title\n\n${long}.\n`).map(wordCount), [1, 31]);
  t.same(sentencesOfMarkdown(`| a | ${long} |\n| --- | --- |\n`).map(wordCount), [1, 31]);
  t.same(sentencesOfMarkdown('- One item\n- Another `a b c` and [a link](x y)\n').map(wordCount), [2, 5]);
  t.same(sentencesOfMarkdown(`Text.\n\n    ${long}\n\nMore.\n`).map(wordCount), [1, 1], 'nor is indented code');
  t.same(sentencesOfMarkdown(`- One\n\n    ${long}\n`).map(wordCount), [1, 31], 'a list item goes on');
  t.same(sentencesOfMarkdown(`\`\`\`sh\n${long}\n\`\`\`\n`), [], 'code is not prose');
});

t.test('the glossary explains every word that Waybill shows', async (t) => {
  const entries = glossary();
  const required = [
    ...kept,
    ...findingKinds,
    ...verdictNames,
    ...placements,
    ...deliveryUnknownReasons,
    ...Object.keys(ignoredReasons),
    ...Object.keys(lossReasons),
  ];
  for (const term of required) t.ok(entries.has(term), `docs/glossary.md has no entry for "${term}"`);
  const text = [...entries.values()].join('\n');
  for (const word of [...outcomes, ...severities]) t.match(text, `\`${word}\``, `docs/glossary.md names "${word}"`);
  for (const [term, meaning] of entries) {
    t.match(meaning, /^[A-Z`].*\.$/, `${term}: a sentence`);
    t.ok(meaning.split('. ').length <= 3 && meaning.length < 220, `${term}: one line`);
  }
});

/** Terms that language.md keeps, and those that docs and help use without explaining them. */
const kept = [
  ...['accounting', 'connection record', 'coverage', 'delivered', 'drift', 'finding', 'flow', 'grace', 'initiator'],
  ...['observation point', 'outcome', 'placement', 'responder', 'side', 'verdict', 'zone'],
];

/** Meaning by term. */
function glossary(): Map<string, string> {
  const rows = readFileSync(join(root, 'docs/glossary.md'), 'utf8').matchAll(
    /^\| (?!term|reason|---)(.+?) \| (.+) \|$/gm,
  );
  return new Map([...rows].map(([, term, meaning]) => [term!.replaceAll('`', ''), meaning!]));
}

async function allCommands(): Promise<readonly Command[]> {
  return (await program('help')).commands.filter((command) => command.name() !== 'help');
}

function checkLength(t: Tap, place: string, text: string): void {
  for (const sentence of sentencesOf(text)) {
    t.ok(wordCount(sentence) <= maxWords, `${place}: ${wordCount(sentence)} words: ${sentence}`);
  }
}

type Tap = { ok(value: boolean, message: string): unknown };
