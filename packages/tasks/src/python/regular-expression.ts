import { BadDataError, FailedPreconditionError, matchWithinTime, quoted } from "@mbs/contracts";
import { spaces } from "./text.ts";

/** What Python's classes hold by Unicode; JavaScript's hold ASCII. `inside` may stand in brackets. */
const word = "\\p{L}\\p{N}_";
const classes: Readonly<Record<string, string>> = { d: "\\p{Nd}", D: "\\P{Nd}", w: word, s: spaces };
/** All but white space, as ranges: brackets in brackets are not possible. */
const solids =
  "\\0-\\x08\\x0e-\\x1b\\x21-\\x84\\x86-\\x9f\\xa1-\\u167f\\u1681-\\u1fff\\u200b-\\u2027\\u202a-\\u202e\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\u{10ffff}";
const controls: Readonly<Record<string, string>> = { n: "\\n", t: "\\t", r: "\\r", f: "\\f", v: "\\v", a: "\\x07" };
const end = "(?![^])";
const boundary = `(?:(?<=[${word}])(?![${word}])|(?<![${word}])(?=[${word}]))`;

interface Flags {
  dotAll: boolean;
  multiline: boolean;
  ignoreCase: boolean;
}

/**
 * A Python regular expression as a JavaScript one that matches the same.
 *
 * @throws {FailedPreconditionError} for what has no counterpart: conditionals, atomic groups, comments, \W in brackets
 */
export function pythonExpression(pattern: string, about: string): RegExp {
  const refuse = (part: string): never => {
    throw new FailedPreconditionError(
      `${about}: ${part} in the regular expression ${JSON.stringify(pattern)} is not supported; write it without`,
    );
  };
  const flags: Flags = { dotAll: false, multiline: false, ignoreCase: false };
  let rest = pattern;
  for (let found = /^\(\?([aimsux]+)\)/.exec(rest); found !== null; found = /^\(\?([aimsux]+)\)/.exec(rest)) {
    for (const flag of found[1] ?? "") {
      if (flag === "i") flags.ignoreCase = true;
      else if (flag === "m") flags.multiline = true;
      else if (flag === "s") flags.dotAll = true;
      else if (flag !== "u") refuse(`(?${flag})`);
    }
    rest = rest.slice(found[0].length);
  }
  const source = translate(rest, flags, refuse);
  try {
    return new RegExp(source, `gu${flags.ignoreCase ? "i" : ""}`);
  } catch (error) {
    throw new FailedPreconditionError(
      `${about}: ${JSON.stringify(pattern)} is no regular expression that can be read; correct it`,
      {},
      { cause: error },
    );
  }
}

function translate(pattern: string, flags: Flags, refuse: (part: string) => never): string {
  let result = "";
  let position = 0;
  const next = (): string => {
    const character = String.fromCodePoint(pattern.codePointAt(position) ?? refuse("an open end"));
    position += character.length;
    return character;
  };
  const match = (expression: RegExp): RegExpExecArray | undefined => {
    const found = expression.exec(pattern.slice(position));
    if (found !== null) position += found[0].length;
    return found ?? undefined;
  };
  while (position < pattern.length) {
    const character = next();
    if (character === "\\") {
      result += escapeOutside(next(), match, refuse);
    } else if (character === "[") {
      result += brackets(match, next, refuse);
    } else if (character === ".") {
      result += flags.dotAll ? "[^]" : "[^\\n]";
    } else if (character === "^") {
      result += flags.multiline ? "(?<![^\\n])" : "^";
    } else if (character === "$") {
      result += flags.multiline ? "(?![^\\n])" : `(?=\\n?${end})`;
    } else if (character === "{") {
      const bounds = match(/^(\d*)(,?)(\d*)\}/);
      const isBound = bounds !== undefined && (bounds[1] !== "" || bounds[3] !== "");
      if (bounds !== undefined && !isBound) position -= bounds[0].length;
      result += isBound ? `{${bounds[1] || "0"}${bounds[2] ?? ""}${bounds[3] ?? ""}}` : "\\{";
    } else if (character === "}" || character === "]") {
      result += `\\${character}`;
    } else if (character === "(") {
      result += group(match, refuse);
    } else {
      result += character;
    }
    if (/^[*+?}]\+/.test(pattern.slice(position - 1)) && character !== "\\") refuse("a possessive quantifier");
  }
  return result;
}

type Match = (expression: RegExp) => RegExpExecArray | undefined;

function group(match: Match, refuse: (part: string) => never): string {
  const name = match(/^\?P<(\w+)>/);
  if (name !== undefined) return `(?<${name[1] ?? ""}>`;
  const back = match(/^\?P=(\w+)\)/);
  if (back !== undefined) return `\\k<${back[1] ?? ""}>`;
  const kind = match(/^\?(?::|=|!|<=|<!)/);
  if (kind !== undefined) return `(${kind[0]}`;
  const other = match(/^\?.?/);
  return other === undefined ? "(" : refuse(`(${other[0]}`);
}

function escapeOutside(letter: string, match: Match, refuse: (part: string) => never): string {
  if (letter === "b") return boundary;
  if (letter === "B") return `(?!${boundary})`;
  if (letter === "A") return "(?<![^])";
  if (letter === "Z") return end;
  if (letter === "W" || letter === "S") return `[^${letter === "W" ? word : spaces}]`;
  const known = classes[letter];
  if (known !== undefined) return letter === "D" || letter === "d" ? known : `[${known}]`;
  if (/[1-9]/.test(letter)) return `\\${letter}${match(/^\d/)?.[0] ?? ""}(?:)`;
  return escapedCharacter(letter, match, refuse);
}

function escapedCharacter(letter: string, match: Match, refuse: (part: string) => never): string {
  const control = controls[letter];
  if (control !== undefined) return control;
  if (letter === "0") return "\\0";
  if (letter === "x" || letter === "u" || letter === "U") {
    const digits = match(new RegExp(`^[0-9a-fA-F]{${{ x: 2, u: 4, U: 8 }[letter]}}`))?.[0] ?? refuse(`\\${letter}`);
    return `\\u{${digits}}`;
  }
  if (/[A-Za-z0-9]/.test(letter)) return refuse(`\\${letter}`);
  return /[\^$\\.*+?()[\]{}|/]/.test(letter) ? `\\${letter}` : letter;
}

function brackets(match: Match, next: () => string, refuse: (part: string) => never): string {
  const negation = match(/^\^/) === undefined ? "" : "^";
  let inside = match(/^\]/) === undefined ? "" : "\\]";
  for (;;) {
    const character = next();
    if (character === "]") return `[${negation}${inside}]`;
    if (character === "-") {
      inside += match(/^(?=\])/) !== undefined || inside === "" ? "\\-" : "-";
    } else if (character !== "\\") {
      inside += /[\^$.*+?()[{}|/]/.test(character) ? `\\${character}` : character;
    } else {
      const letter = next();
      if (letter === "W") refuse("\\W in brackets");
      if (letter === "S") inside += solids;
      else if (letter === "b") inside += "\\x08";
      else if (letter === "-") inside += "\\-";
      else inside += classes[letter] ?? escapedCharacter(letter, match, refuse);
    }
  }
}

/** In UTF-16 units. */
const mostReplaced = 10_000_000;

/** @throws {BadDataError} with the expression, where it takes too long */
const withinTime = <Result>(expression: RegExp, text: string, match: () => Result): Result =>
  matchWithinTime(
    text.length,
    match,
    (milliseconds, cause) =>
      new BadDataError(
        `the regular expression ${quoted(expression.source)} takes more than ${milliseconds} ms for a text of ${text.length} characters; simplify it`,
        {},
        { cause },
      ),
  );

/** All matches of an expression in a text, each with its groups. @throws {BadDataError} where they take too long */
export const matchAll = (expression: RegExp, text: string): (string | undefined)[][] =>
  withinTime(expression, text, () => [...text.matchAll(expression)]);

/** Python's `re.sub(pattern, replacement, text, count)`; 0 replaces all. @throws {BadDataError} where it takes too long */
export const substitute = (expression: RegExp, replacement: string, text: string, count = 0): string =>
  withinTime(expression, text, () => replaceAll(expression, replacement, text, count));

function replaceAll(expression: RegExp, replacement: string, text: string, count: number): string {
  let done = 0;
  let length = 0;
  return text.replace(expression, (...found: unknown[]) => {
    const whole = String(found[0]);
    if (count > 0 && done >= count) return whole;
    done += 1;
    const last = found.at(-1);
    const names = typeof last === "object" && last !== null ? (last as Record<string, string | undefined>) : {};
    const group = (name: string): string => {
      const part = /^\d+$/.test(name) ? found[Number(name)] : names[name];
      return typeof part === "string" ? part : "";
    };
    const replaced = replacement.replace(
      /\\(?:g<(\w+)>|(\d{1,2})|([\\nrtabfv]))/g,
      (part, name?: string, number?: string, letter?: string) => {
        if (letter === undefined) return group(name ?? number ?? "");
        return { "\\": "\\", n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b", f: "\f", v: "\v" }[letter] ?? part;
      },
    );
    length += replaced.length;
    if (length > mostReplaced) throw new BadDataError(`what replaces the matches has more than ${mostReplaced} characters`);
    return replaced;
  });
}
