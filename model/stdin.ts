/** The path that means stdin, as an argument of a command. */
export const stdinPath = '-';
