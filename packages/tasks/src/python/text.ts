/** Python's white space: JavaScript's \s has U+FEFF too, and lacks the information separators and U+0085. */
export const spaces = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const leading = new RegExp(`^[${spaces}]+`);
const space = new RegExp(`^[${spaces}]$`);

export const stripStart = (text: string): string => text.replace(leading, "");
/** Python's `str.rstrip`. By hand: a regular expression that ends in `$` takes quadratic time on long runs of spaces. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && space.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
export const strip = (text: string): string => stripEnd(stripStart(text));

export const startsWithSpace = (text: string): boolean => space.test(text.charAt(0));
export const endsWithSpace = (text: string): boolean => space.test(text.charAt(text.length - 1));

/** Characters as Python counts them: code points. */
export const characters = (text: string): string[] => Array.from(text);

/** `text[0].lower() + text[1:]`; undefined for "", where Python raises IndexError. */
export function lowerFirst(text: string): string | undefined {
  const first = text.codePointAt(0);
  if (first === undefined) return undefined;
  const character = String.fromCodePoint(first);
  return character.toLowerCase() + text.slice(character.length);
}

/** Titlecase forms that are neither upper case nor its first letter. */
const digraphs = new Map(Array.from("ǄǅǆǇǈǉǊǋǌǱǲǳ").map((letter, index) => [letter, "ǅǈǋǲ".charAt(Math.floor(index / 3))]));

/** A character in title case, as `str.capitalize` and `str.title` write a first letter. */
function titleOf(character: string): string {
  const digraph = digraphs.get(character);
  if (digraph !== undefined) return digraph;
  if (character >= "ა" && character <= "ჿ") return character;
  const [first = "", ...rest] = character.toUpperCase();
  return first + rest.join("").toLowerCase();
}

export function capitalise(text: string): string {
  const first = text.codePointAt(0);
  if (first === undefined) return "";
  const character = String.fromCodePoint(first);
  return titleOf(character) + text.toLowerCase().slice(character.toLowerCase().length);
}

/** `str.title`: the first letter of every run of letters. */
export const titleCase = (text: string): string => text.replace(/\p{L}+/gu, capitalise);

/** `len(text)`: surrogate pairs count once. */
export const lengthOf = (text: string): number => text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
