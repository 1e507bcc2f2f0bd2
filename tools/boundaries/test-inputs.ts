import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/*
 * nx takes the result of a package's tests from its cache while their inputs are the same. So a test may read only what
 * counts as an input: its own package, the packages that it depends on, datasets, tools/test, and what
 * package.json adds.
 */

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly targets?: { readonly test?: { readonly inputs?: readonly string[] } } };
}

/** A package and what its tests may read besides it. */
export interface TestScope {
  /** "solvers" */
  readonly folder: string;
  /** Folders under packages/ that it depends on, through others too. */
  readonly dependencies: ReadonlySet<string>;
  /** Paths from the repository's root, from `{workspaceRoot}/…` in the inputs of its test target; a folder ends with "/". */
  readonly added: readonly string[];
}

const prefix = "{workspaceRoot}/";
const everyTest = ["datasets/", "tools/test/"];

/** "packages/host-cli/**" + "/*.ts" → "packages/host-cli/" */
const fixedPart = (glob: string): string => glob.slice(prefix.length).replace(/\*.*$/, "");

export function readTestScopes(root: string): TestScope[] {
  const folders = readdirSync(join(root, "packages"));
  const manifests = new Map(
    folders.map((folder) => [
      folder,
      JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8")) as Manifest,
    ]),
  );
  const folderOf = new Map([...manifests].map(([folder, { name }]) => [name, folder]));
  const collect = (folder: string, into: Set<string>): Set<string> => {
    for (const name of Object.keys(manifests.get(folder)?.dependencies ?? {})) {
      const other = folderOf.get(name);
      if (other === undefined || into.has(other)) continue;
      into.add(other);
      collect(other, into);
    }
    return into;
  };
  return folders.map((folder) => {
    const inputs = manifests.get(folder)?.nx?.targets?.test?.inputs ?? [];
    const added = inputs.filter((input) => input.startsWith(prefix)).map(fixedPart);
    return { folder, dependencies: collect(folder, new Set()), added };
  });
}

/** Paths outside a test file's package that it names: `"../../../datasets/x"`, in imports and elsewhere. */
export function pathsNamed(source: string): string[] {
  return [...source.matchAll(/["'`]((?:\.\.\/)+[\w@.-][^"'`$\s]*)/g)].map(([, path = ""]) => path);
}

/** What tests read that nx does not count as their input, one line each. */
export function findUncountedInputs(root: string, scopes: readonly TestScope[]): string[] {
  return scopes.flatMap(({ folder, dependencies, added }) => {
    const tests = join(root, "packages", folder, "test");
    if (!existsSync(tests)) return [];
    const counted = [...[folder, ...dependencies].map((name) => `packages/${name}/`), ...everyTest, ...added];
    return readdirSync(tests, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
      .flatMap((name) => {
        const file = join(tests, name);
        return pathsNamed(readFileSync(file, "utf8"))
          .map((path) => resolve(dirname(file), path))
          .filter((path) => existsSync(path))
          .map((path) => relative(root, path).replaceAll("\\", "/"))
          .filter((path) => path.includes("/") && !counted.some((start) => `${path}/`.startsWith(start) || path === start))
          .map(
            (path) =>
              `packages/${folder}/test/${name}: reads ${path}, which nx does not count as an input; add it to nx.targets.test.inputs of packages/${folder}/package.json`,
          );
      });
  });
}
