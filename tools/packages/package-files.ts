import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { packageOf } from "../boundaries/rules.ts";
import { readPackages } from "../boundaries/read-packages.ts";

/** A file that follows from others: what it should hold. */
export interface DerivedFile {
  /** Relative to the repository. */
  readonly path: string;
  readonly content: string;
}

type Json = Record<string, unknown>;

const readJson = (path: string): Json => (existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Json) : {});

const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** What every package.json has; what a package says itself counts. */
const standardManifest = {
  name: "",
  version: "",
  description: "",
  license: "Apache-2.0",
  type: "module",
  engines: { node: ">=20" },
  exports: { ".": { "mbs-source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" } },
  files: ["dist", "src", "!dist/*.tsbuildinfo"],
  // npm takes a package with a scope for a private one otherwise
  publishConfig: { access: "public" },
};

const targets = { build: {}, lint: {}, test: {} };

/** What npm keeps of a package in package-lock.json. */
interface Locked {
  readonly version?: string;
  readonly dependencies?: Json;
  readonly devDependencies?: Json;
  readonly peerDependencies?: Json;
}

/** package-lock.json with our packages as their package.json has them: npm would ask the registry for those of another version. */
function lockOf(lock: Json, manifests: ReadonlyMap<string, Json>, { version }: Project): Json {
  const packages = Object.entries(lock["packages"] as Record<string, Locked>).map(([path, entry]): [string, Locked] => {
    if (path === "") return [path, { ...entry, version }];
    const manifest = manifests.get(path) as Locked | undefined;
    if (manifest === undefined) return [path, entry];
    const { dependencies, devDependencies, peerDependencies } = manifest;
    const all = Object.entries({ dependencies, devDependencies, peerDependencies }).filter(([, own]) => own !== undefined);
    return [path, { ...entry, version, ...Object.fromEntries(all) }];
  });
  return { ...lock, version, packages: Object.fromEntries(packages) };
}

/** What all packages have in common, from the package.json of the root. */
interface Project {
  readonly version: string;
  /** Absent until the project has a public address. */
  readonly repository?: Json;
}

function manifestOf(manifest: Json, path: string, imported: readonly string[], all: ReadonlySet<string>, project: Project): Json {
  const {
    dependencies = {},
    devDependencies,
    peerDependencies,
    nx = {},
    repository: _,
    ...own
  } = manifest as Partial<Record<string, Json>>;
  const { version, repository } = project;
  const others = Object.entries(dependencies).filter(([name]) => !all.has(name));
  // an optional package of ours is a peer, as others are
  const required = imported.filter((name) => !Object.hasOwn(peerDependencies ?? {}, name));
  const ours = required.map((name): [string, unknown] => [name, version]);
  const atVersion = (wanted: Json): Json =>
    Object.fromEntries(Object.entries(wanted).map(([name, own]) => [name, all.has(name) ? version : own]));
  // in npm's own order
  const sorted = [...ours, ...others].sort(([a], [b]) => (a < b ? -1 : 1));
  const missing = Object.entries(standardManifest).filter(([key]) => !Object.hasOwn(manifest, key));
  return {
    ...own,
    ...Object.fromEntries(missing),
    version,
    ...(repository && { repository: { ...repository, directory: path } }),
    ...(devDependencies && { devDependencies: atVersion(devDependencies) }),
    ...(peerDependencies && { peerDependencies: atVersion(peerDependencies) }),
    ...(sorted.length > 0 && { dependencies: Object.fromEntries(sorted) }),
    nx: { ...nx, targets: { ...targets, ...(nx["targets"] as Json | undefined) } },
  };
}

const versionSource = ({ version }: Project): string =>
  `/** The version of package.json; \`npm run packages\` writes it. */\nexport const version = ${JSON.stringify(version)};\n`;

const tsconfigOf = (tsconfig: Json, references: readonly string[]): Json => ({
  extends: "../../tsconfig.base.json",
  compilerOptions: { rootDir: "src", outDir: "dist", tsBuildInfoFile: "dist/tsconfig.tsbuildinfo" },
  include: ["src"],
  ...tsconfig,
  references: references.map((path) => ({ path })),
});

/** The references of a tsconfig.json that are wanted, in the order that they have, with the missing ones behind them. */
function ordered(tsconfig: Json, wanted: readonly string[]): string[] {
  const now = ((tsconfig["references"] ?? []) as { path: string }[]).map(({ path }) => path);
  const kept = now.filter((path) => wanted.includes(path));
  return [...kept, ...wanted.filter((path) => !kept.includes(path))];
}

/**
 * The package.json, tsconfig.json and LICENSE of every package, and the root's tsconfig.json and package-lock.json: dependencies among our packages
 * and references follow from what `src` imports, version and repository from the root's package.json, the rest of a package.json
 * from its name.
 */
export function derivedFiles(root: string): readonly DerivedFile[] {
  const packages = readPackages(root);
  const manifests = new Map<string, Json>(
    readdirSync(join(root, "packages")).map((folder) => [folder, readJson(join(root, "packages", folder, "package.json"))]),
  );
  const folders = new Map([...manifests].map(([folder, { name }]) => [String(name), folder]));
  const folderOf = (name: string): string => folders.get(name) ?? "";
  const licence = readFileSync(join(root, "LICENSE"), "utf8");
  const project = readJson(join(root, "package.json")) as unknown as Project;
  const files: DerivedFile[] = [];
  const derived = new Map<string, Json>();
  for (const { name, imports } of packages) {
    const folder = `packages/${folderOf(name)}`;
    const used = new Set(imports.map(({ specifier }) => packageOf(specifier)).filter((other) => other !== name));
    const imported = [...folders.keys()].filter((other) => used.has(other));
    const manifest = manifestOf(manifests.get(folderOf(name)) ?? {}, folder, imported, new Set(folders.keys()), project);
    derived.set(folder, manifest);
    const { dependencies: needed, peerDependencies: optional } = manifest as Locked;
    const dependencies = Object.keys({ ...needed, ...optional }).filter((other) => folders.has(other));
    const wanted = dependencies.map((other) => `../${folderOf(other)}`);
    const tsconfig = readJson(join(root, folder, "tsconfig.json"));
    files.push(
      { path: `${folder}/package.json`, content: jsonText(manifest) },
      { path: `${folder}/tsconfig.json`, content: jsonText(tsconfigOf(tsconfig, ordered(tsconfig, wanted))) },
      { path: `${folder}/LICENSE`, content: licence },
    );
    // for packages that tell their version
    const source = `${folder}/src/version.ts`;
    if (existsSync(join(root, source))) files.push({ path: source, content: versionSource(project) });
  }
  const whole = readJson(join(root, "tsconfig.json"));
  const now = ((whole["references"] ?? []) as { path: string }[]).map(({ path }) => path);
  const fixtures = now.filter((path) => basename(path) === "fixtures");
  const sources = [...manifests.keys()].map((folder) => `packages/${folder}`);
  const references = ordered(whole, [...sources, ...fixtures]);
  files.push({ path: "tsconfig.json", content: jsonText({ ...whole, references: references.map((path) => ({ path })) }) });
  const lock = readJson(join(root, "package-lock.json"));
  if (Object.hasOwn(lock, "packages"))
    files.push({ path: "package-lock.json", content: jsonText(lockOf(lock, derived, project)) });
  return files;
}

/** Those of the derived files that hold something else, or are missing. */
export const staleFiles = (root: string): readonly DerivedFile[] =>
  derivedFiles(root).filter(
    ({ path, content }) => !existsSync(join(root, path)) || readFileSync(join(root, path), "utf8") !== content,
  );

/** Files that are not as they follow from others, one line each. */
export const findStaleFiles = (root: string): string[] =>
  staleFiles(root).map(({ path }) => `${path}: does not follow from what is imported; npm run packages writes it`);
