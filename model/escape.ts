// Escapes control characters, because text from the network, from labels or from file names must never control a terminal.

/** Control and format characters: C0 and C1 codes, line separators, and marks that change the direction of text. */
const controlCharacters = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The same without the line feed, which formats text, JSON and YAML. */
const controlCharactersInText = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `\x1b`, `\u{202e}`: for one line of text. */
export function escapeControls(line: string): string {
  return line.replace(controlCharacters, escapeOf);
}

/** The same for text of several lines. */
export function escapeControlsInText(text: string): string {
  return text.replace(controlCharactersInText, escapeOf);
}

/** `json` is JSON text. The result has the same value. */
export function escapeJson(json: string): string {
  return json.replace(controlCharactersInText, utf16Escapes);
}

/** `quotedYaml` formats the value with every string in double quotes, because only these can have escapes in YAML. */
export function escapeYaml(text: string, quotedYaml: () => string): string {
  return text.search(controlCharactersInText) < 0 ? text : quotedYaml().replace(controlCharactersInText, yamlEscapeOf);
}

function escapeOf(one: string): string {
  const code = one.codePointAt(0)!;
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`;
}

function utf16Escapes(one: string): string {
  return Array.from({ length: one.length }, (_, i) => `\\u${hex(one.charCodeAt(i), 4)}`).join('');
}

function yamlEscapeOf(one: string): string {
  const code = one.codePointAt(0)!;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
