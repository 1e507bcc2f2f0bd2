import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { ImportFact, PackageFacts } from "./rules.ts";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[] };
}

/** `from "x"`, `import "x"`, `import("x")`: the code has no other form, and the linter forbids require. */
const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*"([\w@./:-]+)"/g;

/** Comments hold examples that are no imports. */
const withoutComments = (source: string): string => source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");

export const importsOf = (source: string): string[] =>
  [...withoutComments(source).matchAll(importPattern)].map(([, specifier]) => specifier);

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .sort();
}

/** The facts of every package under packages/. */
export function readPackages(root: string): PackageFacts[] {
  return readdirSync(join(root, "packages")).map((folder) => {
    const path = join(root, "packages", folder);
    const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest;
    const imports = sourceFiles(join(path, "src")).flatMap((file): ImportFact[] =>
      importsOf(readFileSync(file, "utf8")).map((specifier) => ({ file: relative(root, file), specifier })),
    );
    const layer = manifest.nx?.tags?.find((tag) => tag.startsWith("layer:"))?.slice("layer:".length) ?? "";
    return { name: manifest.name, layer, dependencies: Object.keys(manifest.dependencies ?? {}), imports };
  });
}

const exportPattern = /export (type )?\{([^}]*)\}/g;

/** Public names of a package: what its index.ts exports, sorted. */
export function publicNames(source: string): string[] {
  return [...withoutComments(source).matchAll(exportPattern)]
    .flatMap(([, , names]) => names.split(","))
    .map((name) =>
      name
        .trim()
        .replace(/^type /, "")
        .replace(/^.* as /, ""),
    )
    .filter((name) => name !== "")
    .sort();
}

/** Public names of every package, by package. */
export function readPublicNames(root: string): Record<string, string[]> {
  return Object.fromEntries(
    readdirSync(join(root, "packages")).map((folder) => [
      folder,
      publicNames(readFileSync(join(root, "packages", folder, "src/index.ts"), "utf8")),
    ]),
  );
}
