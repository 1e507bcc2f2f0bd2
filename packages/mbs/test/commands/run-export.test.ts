import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { contentAddress, openArtifact } from "@mbs/artifacts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { exportPlan, recipeFrom, run } from "@mbs/pipeline";
import type { ExportedNode, NodeReport } from "@mbs/pipeline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse, stringify } from "yaml";
import { loadStages } from "../../src/stages.ts";
import { present } from "../fixtures/present.ts";
import { program } from "../fixtures/program.ts";
import { runMbs } from "../fixtures/run-mbs.ts";
import type { Ended } from "../fixtures/in-process.ts";
import { writeTexts } from "../fixtures/texts.ts";

const documents = new URL("../../../../docs/", import.meta.url);

interface Context {
  /** With a space, a quote and braces in its name. */
  root: string;
  environment: NodeJS.ProcessEnv;
}

const test = suite<Context>("run export");
test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs it's {an} export-"));
  const { root } = context;
  await writeTinyModel(join(root, "model"), { contextLength: 32 });
  await writeTexts(join(root, "texts"));
  const programs = join(root, "bin");
  await mkdir(programs);
  await writeFile(join(programs, "mbs"), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(join(programs, "mbs"), 0o755);
  context.environment = { ...process.env, PATH: `${programs}:${process.env["PATH"] ?? ""}` };
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

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

const shared = (root: string) => ({
  model: join(root, "model"),
  corpus: join(root, "texts"),
  sample: { mix: "equal", segments: 6, length: 32 },
  evaluate: { corpus: join(root, "texts"), windows: 2 },
});

async function addressOf(output: string, { path, isFolder }: ExportedNode): Promise<string> {
  if (!isFolder) return (await contentAddress(await openArtifact(join(output, path)))).address;
  const model = await openModel(join(output, path));
  await model.close();
  return model.address;
}

/** Runs a recipe, and gives what each node made. */
async function runNodes(recipe: Readonly<Record<string, unknown>>, output: string): Promise<ReadonlyMap<string, NodeReport>> {
  const { nodes } = await run(recipeFrom({ ...recipe, output }), {
    stages: await loadStages(),
    threads: 1,
    signal: new AbortController().signal,
  });
  return new Map(nodes.map((node) => [node.id, node]));
}

/** Compares what nodes have left with what a run made. @returns how many artifacts were compared */
async function compareWith(
  nodes: ReadonlyMap<string, NodeReport>,
  exported: readonly ExportedNode[],
  [output, ran]: readonly [string, string],
): Promise<number> {
  const left = new Set(await readdir(output, { recursive: true }));
  let compared = 0;
  for (const node of exported) {
    if (!left.has(node.path)) continue;
    const expected = node.isFolder ? await addressOf(ran, node) : present(nodes.get(node.id), node.id).address;
    assert.is(await addressOf(output, node), expected, node.command);
    compared += 1;
  }
  return compared;
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
  ["without statistics", async () => ({ compress: { solver: "rtn", bits: 4, "group-size": 16 }, assemble: { format: "dense" } })],
] as const) {
  test(`exported commands give the addresses that the run had: ${name}`, async ({ root, environment }) => {
    const recipe = { ...shared(root), ...(await changes(root)) };
    const ran = join(root, "ran");
    const nodes = await runNodes(recipe, ran);
    const output = join(root, "o'ut {x}");
    const plan = await exportPlan(recipeFrom({ ...recipe, output }), { stages: await loadStages(), threads: 1 });
    assert.equal(
      plan.nodes.map(({ id }) => id),
      [...nodes.keys()],
    );
    await mkdir(join(output, "artifacts"), { recursive: true });
    const script = plan.nodes.map(({ command }) => `${command}\n`).join("");
    const { status, stderr } = spawnSync("bash", ["-e"], { cwd: plan.folder, env: environment, input: script, encoding: "utf8" });
    assert.is(status, 0, stderr);
    assert.is(await compareWith(nodes, plan.nodes, [output, ran]), plan.nodes.length);
  });
}

/** Writes a recipe, and exports it with the command. */
async function exportWith(
  { root }: Context,
  recipe: Readonly<Record<string, unknown>>,
  flags: readonly string[],
): Promise<Ended> {
  const path = join(root, "recipe.yaml");
  await writeFile(path, stringify(recipe));
  return runMbs(["run", path, "--threads", "1", ...flags]);
}

const small = (root: string) => ({
  ...shared(root),
  propagation: "sequential",
  shards: 2,
  similarity: true,
  compress: { solver: "gptq", bits: 3, "group-size": 16 },
});

const hasSnakemake = spawnSync("snakemake", ["--version"]).status === 0;
if (!hasSnakemake) process.stderr.write("run export: one test skipped, there is no snakemake; Debian has it as a package\n");

(hasSnakemake ? test : (name: string) => test.skip(name))(
  "Snakemake runs the file to the addresses that the run had, and keeps what the run keeps",
  async (context) => {
    const { root, environment } = context;
    const recipe = small(root);
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
  const recipe = small(root);
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

test("nothing is run, and what does not go together is refused", async (context) => {
  const { root } = context;
  const recipe = { ...small(root), output: join(root, "out") };
  const file = join(root, "Snakefile");
  const memory = ["--node-memory", "1GiB"];
  for (const [flags, expected, message] of [
    [["--export", "slurm"], 2, /--export takes one of snakemake, argo, not "slurm"/],
    [["--export", "snakemake", "--workers", "2"], 2, /--export and --workers exclude each other/],
    [["--output", file], 2, /run: --output goes with --export/],
    [["--export", "snakemake", "--claim", "a"], 2, /run: --claim goes with --export argo/],
    [["--export", "argo", ...memory, "--mount", join(root, "model")], 2, /the working directory, is not in .*model, the folder/],
    [["--export", "snakemake", ...memory, "--output", join(root, "recipe.yaml")], 77, /recipe\.yaml exists; choose another name/],
    [["--export", "snakemake", ...memory, "--output", join(root, "texts", "en.txt"), "--force"], 2, /en\.txt/],
  ] as const) {
    const { code, stderr } = await exportWith(context, recipe, flags);
    assert.is(code, expected, stderr);
    assert.match(stderr, message);
  }
  const { code, stdout, stderr } = await exportWith(context, recipe, ["--export", "snakemake", ...memory]);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), /^# Written by mbs run --export snakemake/);
  assert.equal((await readdir(root)).sort(), ["bin", "model", "recipe.yaml", "texts"]);
});

test.run();
