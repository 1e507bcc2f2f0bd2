import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { ImportFact, PackageFacts } from "./rules.ts";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly "mbs-source": string }>>;
  readonly nx?: { readonly tags?: readonly string[] };
}

/** `from "x"`, `import "x"`, `import("x")`: the code has no other form, and the linter forbids require. */
const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*"([\w@./:-]+)"/g;

/** Source with empty lines for comments, which have examples that are no code. */
export const withoutComments = (source: string): string =>
  source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replaceAll(/[^\n]/g, ""));

export const importsOf = (source: string): string[] =>
  [...withoutComments(source).matchAll(importPattern)].map(([, specifier = ""]) => specifier);

/** Paths of the TypeScript files in a folder and those below it, sorted; none where there is no such folder. */
export function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .map((name) => join(folder, name))
    .sort();
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/** The facts of every package under packages/. */
export function readPackages(root: string): PackageFacts[] {
  return readdirSync(join(root, "packages")).map((folder) => {
    const path = join(root, "packages", folder);
    const manifest = manifestOf(path);
    const imports = sourceFiles(join(path, "src")).flatMap((file): ImportFact[] =>
      importsOf(readFileSync(file, "utf8")).map((specifier) => ({ file: relative(root, file), specifier })),
    );
    const layer = manifest.nx?.tags?.find((tag) => tag.startsWith("layer:"))?.slice("layer:".length) ?? "";
    const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    return { name: manifest.name, layer, dependencies, imports };
  });
}

const listPattern = /export (?:type )?\{([^}]*)\}/g;
const declarationPattern = /^export (?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm;

/** Names that a file exports, in lists or where they are declared, sorted. */
export function publicNames(source: string): string[] {
  const code = withoutComments(source);
  const listed = [...code.matchAll(listPattern)]
    .flatMap(([, names = ""]) => names.split(","))
    .map((name) =>
      name
        .trim()
        .replace(/^type /, "")
        .replace(/^.* as /, ""),
    )
    .filter((name) => name !== "");
  return [...listed, ...[...code.matchAll(declarationPattern)].map(([, name = ""]) => name)].sort();
}

/** Public names by entry point of every package: "solvers", "solvers/conformance". */
export function readPublicNames(root: string): Record<string, string[]> {
  const entries = readdirSync(join(root, "packages")).flatMap((folder) => {
    const path = join(root, "packages", folder);
    return Object.entries(manifestOf(path).exports).map(([entry, { "mbs-source": source }]): [string, string[]] => [
      join(folder, entry),
      publicNames(readFileSync(join(path, source), "utf8")),
    ]);
  });
  return Object.fromEntries(entries);
}
