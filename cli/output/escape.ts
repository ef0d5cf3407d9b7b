// Escapes control characters, because text from the network or from labels must never control a terminal.

/** Control and format characters: C0 and C1 codes, line separators, and marks that change the direction of text. */
const controlCharacters = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The same without the line feed, which formats JSON and YAML. */
const controlCharactersInText = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

export function escapeControls(text: string): string {
  return text.replace(controlCharacters, (one) => {
    const code = one.codePointAt(0)!;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`;
  });
}

/** Parses to the same value as unescaped JSON. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(controlCharactersInText, utf16Escapes);
}

/** `quotedYaml` formats the value with every string in double quotes, because only these can have escapes in YAML. */
export function escapeYaml(text: string, quotedYaml: () => string): string {
  return text.search(controlCharactersInText) < 0 ? text : quotedYaml().replace(controlCharactersInText, utf16Escapes);
}

function utf16Escapes(one: string): string {
  return Array.from({ length: one.length }, (_, i) => `\\u${hex(one.charCodeAt(i), 4)}`).join('');
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
