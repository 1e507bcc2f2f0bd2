const columns = 80;

/**
 * Lines of at most 80 columns; a word that is longer has a line of its own.
 *
 * @param first what the first line begins with
 * @param later what the others begin with
 */
export function wrapLines(text: string, first = "", later = first): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ")) {
    const longer = empty ? `${line}${word}` : `${line} ${word}`;
    if (longer.length > columns && !empty) {
      lines.push(line);
      line = `${later}${word}`;
    } else {
      line = longer;
    }
    empty = false;
  }
  return [...lines, line];
}
