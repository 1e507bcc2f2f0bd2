import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kernelFiles, numberAssertions } from "./assertions.ts";
import { importsOf, publicNames } from "./read-packages.ts";
import { findViolations, type PackageFacts } from "./rules.ts";
import { stagesNamed } from "./stage-names.ts";
import { findUncountedInputs, pathsNamed, readTestScopes } from "./test-inputs.ts";

const facts = (name: string, layer: string, imports: readonly string[] = [], dependencies = imports): PackageFacts => ({
  name,
  layer,
  dependencies,
  imports: imports.map((specifier) => ({ file: `packages/${name}/src/a.ts`, specifier })),
});

const finds = (packages: readonly PackageFacts[], pattern: RegExp) => {
  const found = findViolations(packages);
  assert.ok(
    found.some((line) => pattern.test(line)),
    `${String(pattern)} not in ${JSON.stringify(found)}`,
  );
};

test("a clean workspace has no violation", () => {
  const packages = [
    facts("@mbs/contracts", "foundation"),
    facts("@mbs/artifacts", "base", ["@mbs/contracts", "apache-arrow"]),
    facts("@mbs/x", "stage", ["@mbs/artifacts"]),
  ];
  assert.equal(findViolations(packages), []);
});

test("an import upwards or sideways is found", () => {
  finds([facts("a", "base", ["b"]), facts("b", "stage")], /a \(base\) must not import b \(stage\)/);
  finds([facts("a", "stage", ["b"]), facts("b", "stage")], /a \(stage\) must not import b \(stage\)/);
});

test("a host that asks for a stage by its name is found", () => {
  const source = 'if (stage.name === "evaluate") stages.get("assemble"); const node = { stage: "sample" };';
  assert.equal(stagesNamed(source), ["evaluate", "assemble", "sample"]);
  assert.equal(stagesNamed('const { "factor": capture } = rates["capture"];'), []);
});

test("an undeclared and an unused dependency are found", () => {
  finds([facts("a", "base", ["left-pad/sub"], [])], /left-pad is not in the dependencies of a/);
  finds([facts("a", "base", [], ["left-pad"])], /depends on left-pad and never imports it/);
});

test("a second importer of a guarded library is found", () => {
  finds([facts("a", "base", ["apache-arrow"])], /only @mbs\/artifacts may import apache-arrow/);
  finds([facts("a", "base", ["onnxruntime-node"])], /only @mbs\/onnx may import onnxruntime-node/);
});

test("a cycle is found", () => {
  finds([facts("a", "base", ["b"]), facts("b", "base", ["a"])], /cycle: a → b → a/);
});

test("a cycle of files in a package is found, through folders too", () => {
  const imports = [
    { file: "packages/a/src/one.ts", specifier: "./inner/two.ts" },
    { file: "packages/a/src/inner/two.ts", specifier: "../three.ts" },
    { file: "packages/a/src/three.ts", specifier: "./one.ts" },
  ];
  const [one, two, three] = imports.map(({ file }) => file);
  finds([{ ...facts("a", "base"), imports }], new RegExp(`cycle: ${[one, two, three, one].join(" → ")}$`));
  assert.equal(findViolations([{ ...facts("a", "base"), imports: imports.slice(0, 2) }]), []);
});

test("a solver that imports a solver, and an unknown layer, are found", () => {
  const solvers = {
    ...facts("@mbs/solvers", "domain"),
    imports: [{ file: "packages/solvers/src/gptq.ts", specifier: "./rtn.ts" }],
  };
  finds([solvers], /a solver imports the solver/);
  finds([facts("a", "attic")], /unknown layer attic/);
});

test("imports and public names are read from source", () => {
  const source = `import { a } from "x";\nimport "y";\n// from "no"\nconst z = await import("z/sub");\nexport { b, type C } from "./b.ts";\nexport type { D as E } from "w";\nexport async function f() {}\nexport const g = 1;\nconst h = 2;`;
  assert.equal(importsOf(source), ["x", "y", "z/sub", "./b.ts", "w"]);
  assert.equal(publicNames(source), ["C", "E", "b", "f", "g"]);
});

test("what a test reads outside the inputs that nx counts is found", () => {
  assert.equal(pathsNamed('import "../src/a.ts";\nnew URL("../../../docs/", x); `../../b/${name}`'), [
    "../src/a.ts",
    "../../../docs/",
    "../../b/",
  ]);
  const root = resolve(import.meta.dirname, "../..");
  const scopes = readTestScopes(root);
  assert.equal(findUncountedInputs(root, scopes), []);
  const withoutAdded = scopes.map((scope) => (scope.folder === "solvers" ? { ...scope, added: [] } : scope));
  const found = findUncountedInputs(root, withoutAdded);
  assert.is(found.length, 1);
  assert.match(found.join(), /solvers\/test\/conformance\.test\.ts: reads docs\/adding-a-solver\.md/);
});

test("an asserted number is found outside kernels, but not in comments nor as a list", () => {
  const asserted = ["const a = b as", "number"].join(" ");
  assert.equal(numberAssertions(`/*\n * ${asserted}\n */\n// ${asserted}\n${asserted}[];\n${asserted};`), [6]);
  const kernels = kernelFiles(resolve(import.meta.dirname, "../.."));
  assert.ok(kernels.has("packages/numbers/src/grids/grid-reference.ts"));
  for (const file of kernels) assert.ok(existsSync(resolve(import.meta.dirname, "../..", file)), `${file} is no file`);
});

test.run();
