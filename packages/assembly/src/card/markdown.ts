/**
 * Escapes a name for Markdown: it can make no HTML, named link, emphasis, code or second line. Users choose the names of labels, solvers
 * and languages.
 */
export const plainText = (text: string): string =>
  text
    .replaceAll(/[\r\n]+/g, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/[[\]`\\*~]/g, String.raw`\$&`);

/** In a table a bar ends a cell. */
const cell = (value: string | number): string => plainText(String(value)).replaceAll("|", String.raw`\|`);

/** A table of plain texts. */
export const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head.map(cell), head.map(() => "---"), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** A block of code, between fences that nothing in it closes. */
export function codeBlock(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return [`${fence}${language}`, text.trimEnd(), fence].join("\n");
}
