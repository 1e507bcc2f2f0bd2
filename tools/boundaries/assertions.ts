import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { sourceFiles, withoutComments } from "./read-packages.ts";

interface LintConfiguration {
  readonly overrides: readonly { readonly files: readonly string[]; readonly rules: Readonly<Record<string, unknown>> }[];
}

/** Files of dense loops over typed arrays, where a check would cost: the paths for which the linter allows `!`. */
export function kernelFiles(root: string): ReadonlySet<string> {
  const { overrides } = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as LintConfiguration;
  const off = overrides.filter(({ rules }) => rules["typescript/no-non-null-assertion"] === "off");
  return new Set(off.flatMap(({ files }) => files));
}

/** Numbers of the lines with `as number`: it silences the compiler about a missing or mistyped value, as `!` does. */
export const numberAssertions = (source: string): number[] =>
  withoutComments(source)
    .split("\n")
    .flatMap((line, index) => (/\bas number\b(?!\[)/.test(line) ? [index + 1] : []));

/** Files outside the kernels that assert a number, one line each. */
export function findNumberAssertions(root: string, kernels = kernelFiles(root)): string[] {
  const folders = readdirSync(join(root, "packages")).flatMap((name) => [`packages/${name}/src`, `packages/${name}/test`]);
  return [...folders, "tools"]
    .flatMap((folder) => sourceFiles(join(root, folder)))
    .map((path) => relative(root, path).replaceAll("\\", "/"))
    .filter((file) => !kernels.has(file))
    .flatMap((file) =>
      numberAssertions(readFileSync(join(root, file), "utf8")).map(
        (line) => `${file}:${line}: asserts a number; check its type instead, or take at() of @mbs/contracts`,
      ),
    );
}
