import { posix } from "node:path";
import { solvers } from "../../packages/solvers/src/solver-map.ts";

/** What the rules look at: one package of the workspace. */
export interface PackageFacts {
  readonly name: string;
  /** Of its nx tag `layer:…`. */
  readonly layer: string;
  /** Names in package.json's `dependencies` and `peerDependencies`. */
  readonly dependencies: readonly string[];
  readonly imports: readonly ImportFact[];
}

export interface ImportFact {
  /** Relative to the repository. */
  readonly file: string;
  /** "@mbs/contracts", "node:fs", "apache-arrow"; a path inside the package where it is relative. */
  readonly specifier: string;
}

/** Layers that a layer may import. The same layer is not among them: no stage imports a stage. */
const below: Readonly<Record<string, readonly string[]>> = {
  foundation: [],
  base: ["foundation"],
  domain: ["foundation", "base"],
  stage: ["foundation", "base", "domain"],
  analysis: ["foundation", "base", "domain", "stage"],
  host: ["foundation", "base", "domain"],
  command: ["foundation", "base", "domain", "stage", "analysis", "host"],
};

/** Imports that the layers alone would forbid, each with its reason in docs/architecture.md. */
const exceptions: ReadonlySet<string> = new Set([
  "@mbs/artifacts → @mbs/gguf",
  "@mbs/artifacts → @mbs/numbers",
  "@mbs/gguf → @mbs/numbers",
  "@mbs/hub → @mbs/artifacts",
  "@mbs/shared-store → @mbs/artifacts",
]);

/** The one package that may import a library. */
const soleImporters: Readonly<Record<string, string>> = {
  "apache-arrow": "@mbs/artifacts",
  flatbuffers: "@mbs/artifacts",
  "onnxruntime-node": "@mbs/onnx",
  "@aws-sdk/client-s3": "@mbs/shared-store",
  bullmq: "@mbs/pipeline",
  ioredis: "@mbs/pipeline",
  "@opentelemetry/api": "mbs",
  "@opentelemetry/exporter-prometheus": "mbs",
  "@opentelemetry/sdk-metrics": "mbs",
  "@opentelemetry/sdk-node": "mbs",
};

/** Files of the same folder that must not import each other, no solver a solver: those that the map of solvers names. */
const independentFiles: ReadonlySet<string> = new Set([...solvers.keys()].map((name) => `packages/solvers/src/${name}.ts`));

/** "@scope/name/sub" → "@scope/name"; undefined for relative paths and Node's own modules. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function importViolations(own: PackageFacts, all: ReadonlyMap<string, PackageFacts>): string[] {
  return own.imports.flatMap(({ file, specifier }) => {
    const name = packageOf(specifier);
    if (name === undefined) {
      const twin =
        independentFiles.has(file) &&
        specifier.startsWith("./") &&
        independentFiles.has(`packages/solvers/src/${specifier.slice(2)}`);
      return twin ? [`${file}: a solver imports the solver ${specifier}`] : [];
    }
    const found: string[] = [];
    if (name !== own.name && !own.dependencies.includes(name))
      found.push(`${file}: ${name} is not in the dependencies of ${own.name}`);
    const sole = soleImporters[name];
    if (sole !== undefined && sole !== own.name) found.push(`${file}: only ${sole} may import ${name}`);
    const other = all.get(name);
    if (
      other &&
      other.name !== own.name &&
      !exceptions.has(`${own.name} → ${name}`) &&
      !below[own.layer]?.includes(other.layer)
    ) {
      found.push(`${file}: ${own.name} (${own.layer}) must not import ${name} (${other.layer})`);
    }
    return found;
  });
}

function unusedDependencies({ name, dependencies, imports }: PackageFacts): string[] {
  const used = new Set(imports.map(({ specifier }) => packageOf(specifier)));
  return dependencies
    .filter((dependency) => !used.has(dependency))
    .map((dependency) => `${name}: depends on ${dependency} and never imports it`);
}

/** Cycles of a graph of imports, each once, as "a → b → a". */
function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name);
    if (start >= 0) {
      found.push(`cycle: ${[...path.slice(start), name].join(" → ")}`);
      return;
    }
    if (done.has(name)) return;
    for (const other of edges.get(name) ?? []) if (edges.has(other)) visit(other, [...path, name]);
    done.add(name);
  };
  for (const name of edges.keys()) visit(name, []);
  return found;
}

const packageCycles = (packages: readonly PackageFacts[]): string[] =>
  cyclesOf(
    new Map(
      packages.map(({ name, imports }) => [
        name,
        new Set(imports.flatMap(({ specifier }) => packageOf(specifier) ?? []).filter((other) => other !== name)),
      ]),
    ),
  );

/** Cycles of the files of a package. Imports of types count: files that need each other's types are one file, or three. */
function fileCycles({ imports }: PackageFacts): string[] {
  const edges = new Map<string, Set<string>>();
  for (const { file, specifier } of imports) {
    const others = edges.get(file) ?? new Set<string>();
    if (specifier.startsWith(".")) others.add(posix.join(posix.dirname(file), specifier));
    edges.set(file, others);
  }
  return cyclesOf(edges);
}

/** Imports that the table of docs/architecture.md does not allow, one line each. */
export function findViolations(packages: readonly PackageFacts[]): string[] {
  const all = new Map(packages.map((facts) => [facts.name, facts]));
  const unknown = packages
    .filter(({ layer }) => !Object.hasOwn(below, layer))
    .map(({ name, layer }) => `${name}: unknown layer ${layer}`);
  return [
    ...unknown,
    ...packages.flatMap((facts) => [...importViolations(facts, all), ...unusedDependencies(facts), ...fileCycles(facts)]),
    ...packageCycles(packages),
  ];
}
