// The form of an explanation (docs/findings.md): the claim, then the evidence line by line, then what to do.

export type ExplanationParts = { claim: string; evidence: readonly string[]; toDo: string };

const lineBreaks = /[\n\v\f\r\x85\u2028\u2029]/g;

/** Names come from outside: a line break in one is shown as an escape, because it could fake a line. */
export function explanationText({ claim, evidence, toDo }: ExplanationParts): string {
  return [claim, ...evidence, `to do: ${toDo}`].map(escapeLineBreaks).join('\n');
}

function escapeLineBreaks(line: string): string {
  return line.replace(lineBreaks, (one) => `\\u{${one.charCodeAt(0).toString(16).padStart(4, '0')}}`);
}
