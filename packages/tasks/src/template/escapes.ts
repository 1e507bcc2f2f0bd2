const known = "ntrbfv'\"\\xu";

/**
 * Writes the escapes in a template's quoted texts so that the parser reads what Python would:
 * it refuses `\d`, which is two characters in Python, and does not know `\a`, `\U` and octal ones.
 */
export function widenEscapes(source: string): string {
  let result = "";
  let position = 0;
  const take = (end: number): void => {
    result += source.slice(position, end);
    position = end;
  };
  while (position < source.length) {
    const open = source.slice(position).search(/\{[{%#]/);
    if (open < 0) break;
    take(position + open + 2);
    if (source.charAt(position - 1) === "#") {
      const close = source.indexOf("#}", position);
      take(close < 0 ? source.length : close + 2);
      continue;
    }
    const close = source.charAt(position - 1) === "{" ? "}}" : "%}";
    let depth = 0;
    while (position < source.length && !(depth === 0 && source.startsWith(close, position))) {
      const character = source.charAt(position);
      if (character === "{") depth += 1;
      if (character === "}") depth -= 1;
      take(position + 1);
      if (character !== "'" && character !== '"') continue;
      while (position < source.length && source.charAt(position) !== character) {
        if (source.charAt(position) !== "\\") {
          take(position + 1);
          continue;
        }
        const { text, length } = widened(source.slice(position));
        result += text;
        position += length;
      }
      take(Math.min(position + 1, source.length));
    }
  }
  return result + source.slice(position);
}

function widened(text: string): { text: string; length: number } {
  const letter = text.charAt(1);
  if (known.includes(letter)) return { text: text.slice(0, 2), length: 2 };
  const octal = /^\\([0-7]{1,3})/.exec(text);
  if (octal !== null)
    return {
      text: `\\u${Number.parseInt(octal[1] ?? "0", 8)
        .toString(16)
        .padStart(4, "0")}`,
      length: octal[0].length,
    };
  const long = /^\\U([0-9a-fA-F]{8})/.exec(text);
  const point = Number.parseInt(long?.[1] ?? "", 16);
  if (point <= 0x10ffff) return { text: String.fromCodePoint(point), length: 10 };
  if (letter === "a") return { text: "\\x07", length: 2 };
  return { text: letter === "\n" ? "" : `\\\\${letter}`, length: 1 + letter.length };
}
