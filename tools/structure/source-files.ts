import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { wordsOnly } from "./source-words.ts";

export interface SourceFile {
  readonly path: string;
  /** Name of its folder in packages/. */
  readonly packageName: string;
  readonly lines: number;
  /** Its words, without comments and texts. */
  readonly code: string;
}

/** Folders of a package with code that we write: src, and the sources of its WebAssembly and its command. */
const folders = ["src", "assembly", "bin"];

/** The sources of all packages, without tests. @param root of the repository */
export function readSources(root: string): SourceFile[] {
  return readdirSync(join(root, "packages")).flatMap((packageName) =>
    folders.flatMap((folder) => {
      const path = join("packages", packageName, folder);
      if (statSync(join(root, path), { throwIfNoEntry: false }) === undefined) return [];
      const names = readdirSync(join(root, path), { recursive: true, encoding: "utf8" }).filter((name) =>
        /\.m?[jt]s$/.test(name),
      );
      return names.toSorted().map((name) => {
        const source = readFileSync(join(root, path, name), "utf8");
        return { path: join(path, name), packageName, lines: source.split("\n").length - 1, code: wordsOnly(source) };
      });
    }),
  );
}
