/**
 * Indents the lines of quoted texts that begin at the start of a line: YAML wants at least one space there, and PyYAML reads
 * them without. White space at the start of such a line is not part of the text.
 */
export function indentQuotes(text: string): string {
  let quote: string | undefined;
  return text
    .split("\n")
    .map((line) => {
      const isInside = quote !== undefined;
      quote = isInside ? openQuote(line, 0, quote) : openQuote(line, line.search(/(?:^|:|-)\s+['"]|^['"]/));
      return isInside ? ` ${line}` : line;
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
