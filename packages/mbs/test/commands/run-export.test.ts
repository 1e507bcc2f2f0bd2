import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { exportSuite, exportWith, requireSameAddresses, smallRecipe } from "../fixtures/exported-run.ts";

// run-export.slow.test.ts has recipes of more nodes, each a process
const test = exportSuite("run export");

test("exported commands give the addresses that the run had: without statistics", (context) =>
  requireSameAddresses(context, { compress: { solver: "rtn", bits: 4, "group-size": 16 }, assemble: { format: "dense" } }));

test("nothing is run, and what does not go together is refused", async (context) => {
  const { root } = context;
  const recipe = { ...smallRecipe(root), output: join(root, "out") };
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
