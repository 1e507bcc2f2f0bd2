import { BadDataError, quoted } from "@mbs/contracts";
import { Float, Tuple, type PythonValue } from "./values.ts";

const named: ReadonlyMap<string, PythonValue> = new Map<string, PythonValue>([
  ["None", null],
  ["True", true],
  ["False", false],
]);
const simpleEscapes = new Map(
  Object.entries({ "\\": "\\", "'": "'", '"': '"', a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\n": "" }),
);
const numeral =
  /(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|(?:\d(?:_?\d)*)?\.?(?:\d(?:_?\d)*)?(?:[eE][-+]?\d+)?)/y;

/** Python's own parser stops at 200 brackets. */
const mostLevels = 100;

/**
 * Python's `ast.literal_eval`, without sets, bytes and complex numbers.
 *
 * @throws {BadDataError} where the text is no literal
 */
export function parseLiteral(source: string): PythonValue {
  // Python reads all line ends as \n, also inside of texts.
  const text = source.replace(/^[ \t]+/, "").replace(/\r\n?/g, "\n");
  let position = 0;
  let level = 0;

  const fail = (): never => {
    throw new BadDataError(`${quoted(source)} is no Python literal, such as a list of quoted texts`);
  };
  const skip = (): void => {
    const blank = /(?:[ \t\n\f]|\\\n|#[^\n]*)*/y;
    blank.lastIndex = position;
    position += blank.exec(text)?.[0].length ?? 0;
  };
  const takes = (token: string): boolean => {
    if (!text.startsWith(token, position)) return false;
    position += token.length;
    return true;
  };

  function escape(isRaw: boolean): string {
    const letter = text.charAt(position);
    position += letter.length;
    if (isRaw) return `\\${letter}`;
    const simple = simpleEscapes.get(letter);
    if (simple !== undefined) return simple;
    const width = { x: 2, u: 4, U: 8 }[letter];
    if (width !== undefined) {
      const digits = text.slice(position, position + width);
      if (digits.length < width || /[^0-9a-fA-F]/.test(digits) || Number.parseInt(digits, 16) > 0x10ffff) fail();
      position += width;
      return String.fromCodePoint(Number.parseInt(digits, 16));
    }
    if (letter === "N") fail();
    const octal = /^[0-7]{1,3}/.exec(text.slice(position - 1))?.[0];
    if (octal === undefined) return `\\${letter}`;
    position += octal.length - 1;
    return String.fromCodePoint(Number.parseInt(octal, 8));
  }

  function quotedText(isRaw: boolean): string {
    const quote = text.charAt(position);
    const end = text.startsWith(quote.repeat(3), position) ? quote.repeat(3) : quote;
    position += end.length;
    let result = "";
    while (!takes(end)) {
      const character = text.charAt(position);
      if (character === "" || (character === "\n" && end.length === 1)) fail();
      position += 1;
      result += character === "\\" ? escape(isRaw) : character;
    }
    return result;
  }

  function texts(): string | undefined {
    let result: string | undefined;
    for (;;) {
      const prefix = /[rRuU]?(?=['"])/y;
      prefix.lastIndex = position;
      const found = prefix.exec(text)?.[0];
      if (found === undefined) return result;
      position += found.length;
      result = (result ?? "") + quotedText(found.toLowerCase() === "r");
      skip();
    }
  }

  function number(): number | Float {
    numeral.lastIndex = position;
    const found = numeral.exec(text)?.[0] ?? "";
    if (!/[0-9]/.test(found)) fail();
    position += found.length;
    const plain = found.replaceAll("_", "");
    if (/^0[xob]/i.test(plain)) return Number(plain);
    if (/[.eE]/.test(plain)) return new Float(Number(plain));
    return /^0+[1-9]/.test(plain) ? fail() : Number(plain);
  }

  function sequence(close: string): { items: PythonValue[]; hasComma: boolean } {
    const items: PythonValue[] = [];
    let hasComma = false;
    for (;;) {
      skip();
      if (takes(close)) return { items, hasComma };
      items.push(value());
      skip();
      if (takes(",")) {
        hasComma = true;
        continue;
      }
      if (!takes(close)) fail();
      return { items, hasComma };
    }
  }

  function dictionary(): PythonValue {
    const result = new Map<PythonValue, PythonValue>();
    for (;;) {
      skip();
      if (takes("}")) return result;
      const key = value();
      skip();
      if (!takes(":")) fail();
      result.set(key, value());
      skip();
      if (takes(",")) continue;
      if (!takes("}")) fail();
      return result;
    }
  }

  function nested<Value>(read: () => Value): Value {
    level += 1;
    if (level > mostLevels) fail();
    const result = read();
    level -= 1;
    return result;
  }

  function value(): PythonValue {
    skip();
    if (takes("[")) return nested(() => sequence("]").items);
    if (takes("{")) return nested(dictionary);
    if (takes("(")) {
      const { items, hasComma } = nested(() => sequence(")"));
      return items.length === 1 && !hasComma ? (items[0] ?? null) : new Tuple(items);
    }
    const quoted = texts();
    if (quoted !== undefined) return quoted;
    if (takes("-") || takes("+")) {
      const sign = text.charAt(position - 1) === "-" ? -1 : 1;
      skip();
      const found = number();
      return found instanceof Float ? new Float(sign * found.value) : sign * found;
    }
    const word = /^[A-Za-z_]\w*/.exec(text.slice(position, position + 8))?.[0];
    if (word === undefined) return number();
    position += word.length;
    const constant = named.get(word);
    return constant === undefined ? fail() : constant;
  }

  if (text.includes("\0")) fail();
  const first = value();
  skip();
  const items = [first];
  while (takes(",")) {
    skip();
    if (position < text.length) items.push(value());
    skip();
    if (position >= text.length) return new Tuple(items);
  }
  return position < text.length ? fail() : items.length > 1 ? new Tuple(items) : first;
}
