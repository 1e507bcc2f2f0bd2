/** More than any key of a task file has. */
const indentation = " ".repeat(64);

/**
 * Indents the further lines of quoted texts: YAML wants them deeper than their key, and PyYAML reads them wherever they begin.
 * White space at the start of such a line is not part of the text.
 */
export function indentQuotes(text: string): string {
  let quote: string | undefined;
  return text
    .split("\n")
    .map((line) => {
      const isInside = quote !== undefined;
      quote = isInside ? openQuote(line, 0, quote) : openQuote(line, line.search(/(?:^|:|-)\s+['"]|^['"]/));
      return isInside ? indentation + line : line;
    })
    .join("\n");
}

/** The quote that a line leaves open, reading from where a text begins. */
function openQuote(line: string, start: number, inside?: string): string | undefined {
  if (start < 0) return undefined;
  let quote = inside;
  for (let position = start; position < line.length; position += 1) {
    const character = line.charAt(position);
    if (quote === '"' && character === "\\") position += 1;
    else if (quote === "'" && character === "'" && line.charAt(position + 1) === "'") position += 1;
    else if (quote !== undefined && character === quote) quote = undefined;
    else if (quote === undefined && (character === "'" || character === '"')) quote = character;
    else if (quote === undefined && character === "#") return undefined;
  }
  return quote;
}
