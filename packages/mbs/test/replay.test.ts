import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentAddress, openArtifact } from "@mbs/artifacts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";
import { program } from "./fixtures/program.ts";
import { writeTexts } from "./fixtures/texts.ts";

const test = suite<{ root: string }>("replay");

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-replay-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

async function addressOf(path: string, stage: string): Promise<string> {
  if (stage !== "assemble") return (await contentAddress(await openArtifact(path))).address;
  const model = await openModel(path);
  await model.close();
  return model.address;
}

// Every stage once; of the other propagations what is different: how they capture.
for (const { propagation, stages, pruning, capture } of [
  {
    propagation: "sequential",
    stages: ["sample", "propagate", "capture", "factor", "compress", "assemble", "evaluate", "similarity"],
  },
  { propagation: "true-sequential", stages: ["capture"] },
  { propagation: "true-sequential", stages: ["capture", "factor"], capture: { grams: "pooled", mix: "en=2,mr=1" } },
  { propagation: "dense", stages: ["capture"] },
  { propagation: "sequential", stages: ["factor", "allocate", "compress"], pruning: { method: "correlation" } },
]) {
  test(`the printed commands give the addresses that the run had, ${propagation}${pruning ? ", allocated" : ""}${capture ? ", pooled" : ""}`, async ({
    root,
  }) => {
    const { nodes, folder } = await run(
      recipeFrom({
        model: join(root, "model"),
        corpus: join(root, "texts"),
        sample: { mix: "equal", segments: 6, length: 32 },
        propagation,
        ...(capture && { capture }),
        ...(pruning
          ? { allocate: pruning, compress: { solver: "m-wanda", sparsity: 0.6 } }
          : { compress: { solver: "gptq", bits: 3, "group-size": 16 } }),
        evaluate: { corpus: join(root, "texts"), windows: 2 },
        similarity: true,
        keep: true,
        output: join(root, "out"),
      }),
      { stages: await loadStages(), threads: 1, signal: new AbortController().signal },
    );
    for (const name of stages) {
      // The last of each stage has the most inputs.
      const node = nodes.findLast(({ stage }) => stage === name);
      assert.ok(node, name);
      const { id, stage, address, command: line } = node;
      const child = spawnSync("bash", ["-c", `set -e; mbs() { "${process.execPath}" "${program}" "$@"; }; ${line}`], {
        cwd: root,
        encoding: "utf8",
      });
      assert.is(child.status, 0, `${line}\n${child.stderr}`);
      const made = join(root, stage === "assemble" ? id : `${id}.arrow`);
      const expected = stage === "assemble" ? await addressOf(folder.model, stage) : address;
      assert.is(await addressOf(made, stage), expected, line);
    }
    const recorded = await readFile(folder.recipe, "utf8");
    for (const { address } of nodes) assert.ok(recorded.includes(address));
  });
}

test.run();
