// Splits text into sentences and counts their words. Run with paths of Markdown pages, it prints the long ones.
import { readFileSync } from 'node:fs';

export const maxWords = 30;

/** Sentences of a Markdown page: of paragraphs, list items, headings and table cells; code blocks are left out. */
export function sentencesOfMarkdown(page: string): string[] {
  const paragraphs = page
    .replace(/^ *```[\s\S]*?^ *```/gm, '\n')
    .replace(/<!--[\s\S]*?-->/g, '')
    .split(/\n\s*?\n/)
    .filter((paragraph, at, all) => !isIndentedCode(paragraph, all[at - 1] ?? ''));
  const blocks = paragraphs
    .flatMap((paragraph) => paragraph.split(/\n(?=\s*(?:[-*+]|\d+\.|#+|>)\s)|\n(?=\s*\|)/))
    .flatMap((block) => (block.trim().startsWith('|') ? block.split('|') : [block]));
  return blocks.flatMap((block) => sentencesOf(plainText(block)));
}

export function sentencesOf(text: string): string[] {
  const segments = new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text.replace(/\s+/g, ' '));
  return [...segments].map(({ segment }) => segment.trim()).filter((sentence) => wordCount(sentence) > 0);
}

export function wordCount(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Inline code and the target of a link count as one word. */
function plainText(block: string): string {
  return block
    .replace(/`[^`]*`/g, 'Code')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_#>]/g, ' ');
}

/** Four spaces after an empty line are code, unless a list goes on. */
function isIndentedCode(paragraph: string, before: string): boolean {
  const indented = paragraph.split('\n').every((line) => line.trim() === '' || line.startsWith('    '));
  return indented && !/^\s*([-*+]|\d+\.)\s/.test(before);
}

if (import.meta.main) {
  for (const path of process.argv.slice(2)) {
    for (const sentence of sentencesOfMarkdown(readFileSync(path, 'utf8'))) {
      if (wordCount(sentence) > maxWords) process.stdout.write(`${path}: ${wordCount(sentence)} words: ${sentence}\n`);
    }
  }
}
