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

/** Reads one literal from its first character to its last. */
class LiteralReader {
  readonly #source: string;
  readonly #text: string;
  #position = 0;
  #level = 0;

  constructor(source: string) {
    this.#source = source;
    // Python reads all line ends as \n, also inside of texts.
    this.#text = source.replace(/^[ \t]+/, "").replace(/\r\n?/g, "\n");
  }

  read(): PythonValue {
    if (this.#text.includes("\0")) this.#fail();
    const first = this.#value();
    this.#skip();
    const items = [first];
    while (this.#takes(",")) {
      this.#skip();
      if (this.#position < this.#text.length) items.push(this.#value());
      this.#skip();
      if (this.#position >= this.#text.length) return new Tuple(items);
    }
    if (this.#position < this.#text.length) this.#fail();
    return items.length > 1 ? new Tuple(items) : first;
  }

  #fail(): never {
    throw new BadDataError(`${quoted(this.#source)} is no Python literal, such as a list of quoted texts`);
  }

  /** Skips blanks, joined lines and comments. */
  #skip(): void {
    const blank = /(?:[ \t\n\f]|\\\n|#[^\n]*)*/y;
    blank.lastIndex = this.#position;
    this.#position += blank.exec(this.#text)?.[0].length ?? 0;
  }

  #takes(token: string): boolean {
    if (!this.#text.startsWith(token, this.#position)) return false;
    this.#position += token.length;
    return true;
  }

  #value(): PythonValue {
    this.#skip();
    if (this.#takes("[")) return this.#nested(() => this.#sequence("]").items);
    if (this.#takes("{")) return this.#nested(() => this.#dictionary());
    if (this.#takes("(")) {
      const { items, hasComma } = this.#nested(() => this.#sequence(")"));
      return items.length === 1 && !hasComma ? (items[0] ?? null) : new Tuple(items);
    }
    const quoted = this.#texts();
    if (quoted !== undefined) return quoted;
    if (this.#takes("-") || this.#takes("+")) {
      const sign = this.#text.charAt(this.#position - 1) === "-" ? -1 : 1;
      this.#skip();
      const found = this.#number();
      return found instanceof Float ? new Float(sign * found.value) : sign * found;
    }
    const word = /^[A-Za-z_]\w*/.exec(this.#text.slice(this.#position, this.#position + 8))?.[0];
    if (word === undefined) return this.#number();
    this.#position += word.length;
    const constant = named.get(word);
    return constant === undefined ? this.#fail() : constant;
  }

  #nested<Value>(read: () => Value): Value {
    this.#level += 1;
    if (this.#level > mostLevels) this.#fail();
    const result = read();
    this.#level -= 1;
    return result;
  }

  #sequence(close: string): { items: PythonValue[]; hasComma: boolean } {
    const items: PythonValue[] = [];
    let hasComma = false;
    for (;;) {
      this.#skip();
      if (this.#takes(close)) return { items, hasComma };
      items.push(this.#value());
      this.#skip();
      if (this.#takes(",")) {
        hasComma = true;
        continue;
      }
      if (!this.#takes(close)) this.#fail();
      return { items, hasComma };
    }
  }

  #dictionary(): PythonValue {
    const result = new Map<PythonValue, PythonValue>();
    for (;;) {
      this.#skip();
      if (this.#takes("}")) return result;
      const key = this.#value();
      this.#skip();
      if (!this.#takes(":")) this.#fail();
      result.set(key, this.#value());
      this.#skip();
      if (this.#takes(",")) continue;
      if (!this.#takes("}")) this.#fail();
      return result;
    }
  }

  /** Quoted texts beside each other, as one; undefined where none begins. */
  #texts(): string | undefined {
    let result: string | undefined;
    for (;;) {
      const prefix = /[rRuU]?(?=['"])/y;
      prefix.lastIndex = this.#position;
      const found = prefix.exec(this.#text)?.[0];
      if (found === undefined) return result;
      this.#position += found.length;
      result = (result ?? "") + this.#quotedText(found.toLowerCase() === "r");
      this.#skip();
    }
  }

  #quotedText(isRaw: boolean): string {
    const quote = this.#text.charAt(this.#position);
    const end = this.#text.startsWith(quote.repeat(3), this.#position) ? quote.repeat(3) : quote;
    this.#position += end.length;
    let result = "";
    while (!this.#takes(end)) {
      const character = this.#text.charAt(this.#position);
      if (character === "" || (character === "\n" && end.length === 1)) this.#fail();
      this.#position += 1;
      result += character === "\\" ? this.#escape(isRaw) : character;
    }
    return result;
  }

  #escape(isRaw: boolean): string {
    const letter = this.#text.charAt(this.#position);
    this.#position += letter.length;
    if (isRaw) return `\\${letter}`;
    const simple = simpleEscapes.get(letter);
    if (simple !== undefined) return simple;
    const width = { x: 2, u: 4, U: 8 }[letter];
    if (width !== undefined) {
      const digits = this.#text.slice(this.#position, this.#position + width);
      if (digits.length < width || /[^0-9a-fA-F]/.test(digits) || Number.parseInt(digits, 16) > 0x10ffff) this.#fail();
      this.#position += width;
      return String.fromCodePoint(Number.parseInt(digits, 16));
    }
    if (letter === "N") this.#fail();
    const octal = /^[0-7]{1,3}/.exec(this.#text.slice(this.#position - 1))?.[0];
    if (octal === undefined) return `\\${letter}`;
    this.#position += octal.length - 1;
    return String.fromCodePoint(Number.parseInt(octal, 8));
  }

  #number(): number | Float {
    numeral.lastIndex = this.#position;
    const found = numeral.exec(this.#text)?.[0] ?? "";
    if (!/[0-9]/.test(found)) this.#fail();
    this.#position += found.length;
    const plain = found.replaceAll("_", "");
    if (/^0[xob]/i.test(plain)) return Number(plain);
    if (/[.eE]/.test(plain)) return new Float(Number(plain));
    return /^0+[1-9]/.test(plain) ? this.#fail() : Number(plain);
  }
}

/**
 * Python's `ast.literal_eval`, without sets, bytes and complex numbers.
 *
 * @throws {BadDataError} where the text is no literal
 */
export function parseLiteral(source: string): PythonValue {
  return new LiteralReader(source).read();
}
