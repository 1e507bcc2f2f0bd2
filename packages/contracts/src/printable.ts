/** Control characters, which move a terminal's cursor, and the marks that turn the direction of what follows. */
const unprintable = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** Text from a file as a terminal may be shown it: in one line, what would command the terminal is spelt out, `\u001b`. */
export const printable = (text: string): string =>
  text.replaceAll(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
