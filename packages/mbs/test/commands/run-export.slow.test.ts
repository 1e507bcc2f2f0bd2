import { spawnSync } from "node:child_process";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exportPlan, recipeFrom } from "@mbs/pipeline";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { loadStages } from "../../src/stages.ts";
import { compareWith, exportSuite, exportWith, requireSameAddresses, runNodes, smallRecipe } from "../fixtures/exported-run.ts";
import { present } from "../fixtures/present.ts";

const documents = new URL("../../../../docs/", import.meta.url);
const test = exportSuite("run export, a process for each node");

/** The code that a document shows. */
async function documented(name: string): Promise<string> {
  const text = await readFile(new URL(name, documents), "utf8");
  return present(/```js\n(.*?)```/s.exec(text)?.[1], `code in ${name}`);
}

/** Writes the documented stage and solver where the packages that they import are found. */
async function writeOwnCode(root: string): Promise<{ stage: string; solver: string }> {
  await symlink(fileURLToPath(new URL("../../../../node_modules", import.meta.url)), join(root, "node_modules"));
  await writeFile(join(root, "package.json"), '{ "type": "module" }');
  const [stage, solver] = [join(root, "outliers.js"), join(root, "solver.js")];
  await writeFile(stage, await documented("adding-a-stage.md"));
  await writeFile(solver, await documented("adding-a-solver.md"));
  return { stage, solver };
}

for (const [name, changes] of [
  [
    "true-sequential with similarity, an own solver and own stages",
    async (root: string) => {
      const { stage, solver } = await writeOwnCode(root);
      return {
        propagation: "true-sequential",
        similarity: true,
        compress: { solver },
        stages: {
          outliers: { stage, inputs: { statistics: "capture" } },
          both: {
            stage: "evaluate",
            options: { model: [join(root, "model"), join(root, "model")], corpus: join(root, "texts"), labels: ["a", "b"] },
          },
        },
      };
    },
  ],
  [
    "sequential with the dense model's states",
    async () => ({ propagation: "sequential", compress: { solver: "gptaq", bits: 3, "group-size": 16 } }),
  ],
  [
    "dense with an allocation",
    async () => ({
      propagation: "dense",
      similarity: true,
      allocate: { method: "owl" },
      compress: { solver: "m-wanda", sparsity: 0.6 },
    }),
  ],
] as const) {
  test(`exported commands give the addresses that the run had: ${name}`, async (context) =>
    requireSameAddresses(context, await changes(context.root)));
}

const hasSnakemake = spawnSync("snakemake", ["--version"]).status === 0;
if (!hasSnakemake) process.stderr.write("run export: one test skipped, there is no snakemake; Debian has it as a package\n");

(hasSnakemake ? test : (name: string) => test.skip(name))(
  "Snakemake runs the file to the addresses that the run had, and keeps what the run keeps",
  async (context) => {
    const { root, environment } = context;
    const recipe = smallRecipe(root);
    const ran = join(root, "ran");
    const nodes = await runNodes(recipe, ran);
    const output = join(root, "o'ut {x}");
    const file = join(root, "Snakefile");
    const flags = ["--export", "snakemake", "--output", file];
    const { code, stdout, stderr } = await exportWith(context, { ...recipe, output }, flags);
    assert.is(code, 0, stderr);
    assert.match(stdout.toString(), /^\d+ nodes in .*Snakefile\nnext: snakemake --cores 1 --snakefile '/);
    assert.match(await readFile(file, "utf8"), /\n    threads: 1\n    resources:\n        mem_mb=\d{3},\n/);
    const args = ["--snakefile", file, "--cores", "2"];
    const made = spawnSync("snakemake", args, { cwd: root, env: environment, encoding: "utf8" });
    assert.is(made.status, 0, made.stderr);
    const { nodes: exported } = await exportPlan(recipeFrom({ ...recipe, output }), { stages: await loadStages(), threads: 1 });
    const kept = exported.filter(({ isTemporary }) => !isTemporary);
    assert.is(await compareWith(nodes, exported, [output, ran]), kept.length);
    assert.equal(
      kept.map(({ id }) => id),
      ["sample", "similarity", "compress.h.0", "compress.h.1", "assemble", "join-scores"],
    );
    const again = spawnSync("snakemake", args, { cwd: root, env: environment, encoding: "utf8" });
    assert.match(again.stderr, /Nothing to be done/);
  },
);

test("the scripts of a workflow give the addresses that the run had", async (context) => {
  const { root, environment } = context;
  const recipe = smallRecipe(root);
  const ran = join(root, "ran");
  const nodes = await runNodes(recipe, ran);
  const output = join(root, "o'ut {{x}}");
  const flags = ["--export", "argo", "--node-memory", "2GiB", "--mount", "/", "--claim", "models"];
  const { code, stdout, stderr } = await exportWith(context, { ...recipe, output }, flags);
  assert.is(code, 0, stderr);
  const { spec } = parse(stdout.toString()) as {
    spec: {
      templateDefaults: { container: { workingDir: string; resources: object } };
      templates: { container?: { image: string; args: [string] } }[];
    };
  };
  const { workingDir, resources } = spec.templateDefaults.container;
  assert.equal(resources, { requests: { cpu: "1", memory: "2148M" } });
  for (const { container } of spec.templates) {
    if (container === undefined) continue;
    assert.match(container.image, /^mbs:\d+\.\d+\.\d+$/);
    const child = spawnSync("sh", ["-ec", ...container.args], { cwd: workingDir, env: environment, encoding: "utf8" });
    assert.is(child.status, 0, `${container.args[0]}\n${child.stderr}`);
  }
  const { nodes: exported } = await exportPlan(recipeFrom({ ...recipe, output }), { stages: await loadStages(), threads: 1 });
  // what the similarity and the joined scores are made of stays: nothing waits for these
  assert.is(await compareWith(nodes, exported, [output, ran]), exported.filter(({ isTemporary }) => !isTemporary).length + 3);
});

test.run();
