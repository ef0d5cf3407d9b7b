// What came from the network or from labels may hold anything: what could steer a terminal never reaches it as it is.

/** Control and format characters: escape sequences of both widths, line breaks, and marks that turn the order of text. */
const controlCharacters = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The same, but for what JSON and YAML texts are laid out with. */
const controlCharactersInText = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

export function escapeControls(text: string): string {
  return text.replace(controlCharacters, (one) => {
    const code = one.codePointAt(0)!;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`;
  });
}

/** The same value to whoever parses it. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(controlCharactersInText, utf16Escapes);
}

/** `quoted` writes the same with every text in double quotes, the one place where YAML knows escapes. */
export function escapeYaml(text: string, quotedYaml: () => string): string {
  return text.search(controlCharactersInText) < 0 ? text : quotedYaml().replace(controlCharactersInText, utf16Escapes);
}

function utf16Escapes(one: string): string {
  return Array.from({ length: one.length }, (_, i) => `\\u${hex(one.charCodeAt(i), 4)}`).join('');
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
