/** Control characters, which move a terminal's cursor, and the marks that turn the direction of what follows. */
const unprintable = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** Text from a file as a terminal may be shown it: in one line, what would command the terminal is spelt out, `\u001b`. */
export const printable = (text: string): string =>
  text.replaceAll(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Most characters of a user's value that a message repeats. */
const quotedLength = 80;

/** The first characters of a text, and no half of a pair of surrogates. */
const startOf = (text: string, length: number): string => text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");

/** A user's value as a message repeats it: JSON in one line, the start of a long one and how long it is. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= quotedLength ? text : `${startOf(text, quotedLength)}… (${text.length} characters)`;
}

/** A message whose names of more than 300 characters, which nobody reads to their end, are their two ends. */
export const shortened = (text: string): string =>
  text.replaceAll(/\S{301,}/gu, (name) => `${startOf(name, 150)}…${name.slice(-150).replace(/^[\uDC00-\uDFFF]/, "")}`);
