/**
 * Parts of a hand-written page that a program writes: everything between `<!-- KIND NAME -->` and `<!-- end -->`.
 *
 * @param blocks name → Markdown; marks of other names stay as they are
 */
export function replaceBlocks(text: string, kind: string, blocks: Readonly<Record<string, string>>): string {
  return text.replaceAll(/<!-- (\w+) ([\w-]+) -->\n[^]*?<!-- end -->/g, (whole, found: string, name: string) => {
    const content = found === kind ? blocks[name] : undefined;
    return content === undefined ? whole : `<!-- ${kind} ${name} -->\n\n${content}\n\n<!-- end -->`;
  });
}

/** A Markdown table. @param left how many columns are texts, set to the left */
export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[], left = 1): string =>
  [head, head.map((_, column) => (column < left ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
