import { BadDataError } from "@mbs/contracts";
import { repr } from "../python/print.ts";
import { capitalise, characters, lengthOf, spaces, strip, stripEnd, stripStart, titleCase } from "../python/text.ts";
import { Tuple, type Callable, type PythonValue } from "../python/values.ts";

export function textOf(value: PythonValue | undefined, about: string): string {
  if (typeof value === "string") return value;
  throw new BadDataError(`${about} takes a text, not ${value === undefined ? "nothing" : repr(value)}`);
}

/** Where str.splitlines splits; by code points, since some of them are control characters. */
const lineEnd = new RegExp(`\\r\\n|[\\n\\r${String.fromCodePoint(0x0b, 0x0c, 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029)}]`);

const numberOr = (value: PythonValue | undefined, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/** Takes off characters of a set at the ends. */
function stripSet(text: string, set: PythonValue | undefined, atStart: boolean, atEnd: boolean): string {
  if (set === undefined || set === null) return atStart && atEnd ? strip(text) : atStart ? stripStart(text) : stripEnd(text);
  const wanted = new Set(characters(textOf(set, "strip()")));
  const letters = characters(text);
  const isKept = (letter: string): boolean => !wanted.has(letter);
  const start = atStart ? letters.findIndex(isKept) : 0;
  const end = atEnd ? letters.findLastIndex(isKept) + 1 : letters.length;
  return start < 0 ? "" : letters.slice(start, end).join("");
}

function split(text: string, separator: PythonValue | undefined, most: number): string[] {
  if (separator !== undefined && separator !== null) {
    const by = textOf(separator, "split()");
    if (by === "") throw new BadDataError("split() by an empty text");
    const parts = text.split(by);
    return most < 0 || parts.length <= most + 1 ? parts : [...parts.slice(0, most), parts.slice(most).join(by)];
  }
  const words: string[] = [];
  let rest = stripStart(text);
  while (rest !== "") {
    if (most >= 0 && words.length === most) return [...words, rest];
    const length = rest.search(new RegExp(`[${spaces}]`));
    words.push(length < 0 ? rest : rest.slice(0, length));
    rest = length < 0 ? "" : stripStart(rest.slice(length));
  }
  return words;
}

/** In UTF-16 units. */
const mostJoined = 10_000_000;

/** `str.join`. @throws {BadDataError} where the text would be too long */
export function joinTexts(parts: readonly string[], separator: string): string {
  const length = parts.reduce((sum, part) => sum + part.length + separator.length, 0);
  if (length > mostJoined)
    throw new BadDataError(`a text of more than ${mostJoined} characters; shorten what the template repeats`);
  return parts.join(separator);
}

/** `str.replace`: the first so many; all where the count is below 0. */
export function replaceText(text: string, old: string, replacement: string, count: number): string {
  const parts = old === "" ? ["", ...characters(text), ""] : text.split(old);
  const most = count < 0 ? parts.length : Math.min(count, parts.length - 1);
  return joinTexts(most < parts.length ? [...parts.slice(0, most), parts.slice(most).join(old)] : parts, replacement);
}

const anyOf = (value: PythonValue | undefined, holds: (text: string) => boolean, about: string): boolean =>
  value instanceof Tuple ? value.items.some((item) => holds(textOf(item, about))) : holds(textOf(value, about));

/** Where a part begins, in characters; -1 where it is not. */
const find = (text: string, part: string, last: boolean): number => {
  const unit = last ? text.lastIndexOf(part) : text.indexOf(part);
  return unit < 0 ? -1 : lengthOf(text.slice(0, unit));
};

const isCased = (text: string): boolean => text.toLowerCase() !== text.toUpperCase();

/** A method of `str`; undefined where we have none of that name. */
export function textMethod(text: string, name: string): Callable | undefined {
  switch (name) {
    case "strip":
      return ([set]) => stripSet(text, set, true, true);
    case "lstrip":
      return ([set]) => stripSet(text, set, true, false);
    case "rstrip":
      return ([set]) => stripSet(text, set, false, true);
    case "lower":
    case "casefold":
      return () => text.toLowerCase();
    case "upper":
      return () => text.toUpperCase();
    case "capitalize":
      return () => capitalise(text);
    case "title":
      return () => titleCase(text);
    case "split":
      return ([separator, most], named) =>
        split(text, separator ?? named.get("sep"), numberOr(most ?? named.get("maxsplit"), -1));
    case "splitlines":
      return () => text.split(lineEnd).filter((line, index, lines) => line !== "" || index < lines.length - 1);
    case "replace":
      return ([old, replacement, count], named) =>
        replaceText(text, textOf(old, "replace()"), textOf(replacement, "replace()"), numberOr(count ?? named.get("count"), -1));
    case "join":
      return ([parts]) =>
        joinTexts(
          (Array.isArray(parts) ? parts : parts instanceof Tuple ? parts.items : []).map((part) => textOf(part, "join()")),
          text,
        );
    case "startswith":
      return ([part]) => anyOf(part, (start) => text.startsWith(start), "startswith()");
    case "endswith":
      return ([part]) => anyOf(part, (end) => text.endsWith(end), "endswith()");
    case "find":
    case "rfind":
      return ([part]) => find(text, textOf(part, `${name}()`), name === "rfind");
    case "index":
    case "rindex":
      return ([part]) => {
        const found = find(text, textOf(part, `${name}()`), name === "rindex");
        if (found < 0) throw new BadDataError(`${repr(part ?? null)} is not in ${repr(text)}`);
        return found;
      };
    case "count":
      return ([part]) =>
        replaceText(text, textOf(part, "count()"), "", 0) === "" ? 0 : text.split(textOf(part, "count()")).length - 1;
    case "isdigit":
      return () => /^\p{Nd}+$/u.test(text);
    case "isalpha":
      return () => /^\p{L}+$/u.test(text);
    case "isupper":
      return () => isCased(text) && text === text.toUpperCase();
    case "islower":
      return () => isCased(text) && text === text.toLowerCase();
    default:
      return undefined;
  }
}
