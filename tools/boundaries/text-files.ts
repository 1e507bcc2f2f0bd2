import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Folders without text of this project. */
const skipped: ReadonlySet<string> = new Set(["node_modules", "dist", "generated", "fixtures", "out", ".git", ".nx"]);

function filesUnder(root: string, folder: string, ending: RegExp): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesUnder(root, name, ending);
    return entry.isFile() && ending.test(entry.name) ? [name] : [];
  });
}

export interface TextFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

const read = (root: string, paths: readonly string[]): TextFile[] =>
  paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

/** Every Markdown page of the project. */
export const markdownPages = (root: string): TextFile[] => read(root, filesUnder(root, "", /\.md$/));

/** Sources, tests, scripts and recipes: what has comments, messages and help, but no Markdown. */
export const sourceTexts = (root: string): TextFile[] =>
  read(root, [
    ...filesUnder(root, "packages", /\.ts$/),
    ...filesUnder(root, "tools", /\.(?:ts|py|sh)$/),
    ...filesUnder(root, "protos", /\.proto$/),
    ...filesUnder(root, "recipes", /\.yaml$/),
    ...filesUnder(root, "scripts", /$/),
  ]);
