/** Control characters, which can command a terminal, and marks that change the direction of text. */
const unprintable = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** Text from a file, safe to show on a terminal: one line, with control characters escaped as `\u001b`. */
export const printable = (text: string): string =>
  text.replaceAll(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** What `printable` escapes, but for ends of lines, tabs, and the colours and weights that our own tables have. */
const unsafe = new RegExp(String.raw`\n|\t|\u001B\[(?:[0-4]|2[1-4]|[349]\d)m|(${unprintable.source})`, "gu");

/** Lines of a result, safe to show on a terminal: names in them come from files of others. */
export const printableLines = (text: string): string =>
  text.replaceAll(unsafe, (found, character: string | undefined) => (character === undefined ? found : printable(character)));

/** Most characters of a user's value that a message repeats. */
const quotedLength = 80;

/** The first characters of a text, and no half of a pair of surrogates. */
const startOf = (text: string, length: number): string => text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");

/** A user's value as a message quotes it: one line of JSON; a long one is cut, with its length appended. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= quotedLength ? text : `${startOf(text, quotedLength)}… (${text.length} characters)`;
}

/** A message in which every name of more than 300 characters is cut to its two ends. */
export const shortened = (text: string): string =>
  text.replaceAll(/\S{301,}/gu, (name) => `${startOf(name, 150)}…${name.slice(-150).replace(/^[\uDC00-\uDFFF]/, "")}`);

/** "1 artifact", "3 artifacts" */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
