import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import * as assert from "uvu/assert";
import { present } from "../fixtures/present.ts";
import { tensorOffsets } from "../fixtures/tensor-offsets.ts";
import { done, faultSuite, refused, sampling } from "../fixtures/fault-suite.ts";

const test = faultSuite("faults 23 and 24: dead channels and singular Hessians");

interface Summary {
  readonly summary: readonly Readonly<Record<string, string | number>>[];
  readonly address: string;
}
const inspect = async (path: string): Promise<Summary> =>
  JSON.parse((await done(["inspect", path, "--json", "--rows", "0"])).stdout) as Summary;

/** Sets one element of some float32 tensors. */
async function setZero(model: string, tensors: readonly string[], index: number): Promise<void> {
  const path = join(model, "model.safetensors");
  const file = await readFile(path);
  const offsets = tensorOffsets(file);
  for (const name of tensors) {
    const [start] = present(offsets.get(name), name);
    file.writeFloatLE(0, start + 4 * index);
  }
  await writeFile(path, file);
}

test("23: a dead channel is left out of the damping, its weights are finite, and it is reported", async ({ corpus, path }) => {
  const model = path("dead");
  await writeTinyModel(model, { dtype: "f32" });
  // Channel 7 of what the first site is given: nothing but its norm's weight and bias.
  await setZero(model, ["transformer.h.0.input_layernorm.weight", "transformer.h.0.input_layernorm.bias"], 7);
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  await done(["capture", "--model", model, "--source", path("segments.arrow"), "--output", path("statistics.arrow")]);
  await done(["factor", "--statistics", path("statistics.arrow"), "--output", path("factors.arrow")]);
  const { summary } = await inspect(path("factors.arrow"));
  assert.equal(summary.map(({ site, dead }) => [site, dead]).slice(0, 4), [
    ["attention-qkv", 1],
    ["attention-output", 0],
    ["mlp-up", 0],
    ["mlp-down", 0],
  ]);
  for (const solver of ["gptq", "sparsegpt", "wanda"]) {
    const addresses: string[] = [];
    for (const turn of [1, 2]) {
      const layers = path(`${solver}-${turn}.arrow`);
      await done(["compress", "--model", model, "--solver", solver, "--factors", path("factors.arrow"), "--output", layers]);
      const { address, summary: layerSummary } = await inspect(layers);
      addresses.push(address);
      for (const row of layerSummary) assert.ok(Number.isFinite(row["damage"]), `${solver} ${row["tensor"]}`);
    }
    assert.is(addresses[0], addresses[1], solver);
  }
  const output = path("dead-model");
  await done(["assemble", "--model", model, "--layers", path("gptq-1.arrow"), "--output", output]);
  const { stdout } = await done([
    "evaluate",
    "--model",
    output,
    "--corpus",
    corpus,
    "--length",
    "32",
    "--windows",
    "2",
    "--json",
  ]);
  const { results } = JSON.parse(stdout) as { results: readonly { perplexity: number }[] };
  assert.is(results.length, 2);
  for (const { perplexity } of results) assert.ok(Number.isFinite(perplexity));
});

test("24: a singular Hessian is tried again and counted, else refused, else left to plain rounding and counted", async ({
  model,
  corpus,
  path,
}) => {
  // Four tokens cannot fill 32 dimensions.
  const few = ["sample", "--model", model, "--corpus", corpus, "--mix", "only:en", "--segments", "1", "--length", "4"];
  await done([...few, "--output", path("few.arrow")]);
  await done(["capture", "--model", model, "--source", path("few.arrow"), "--output", path("few-statistics.arrow")]);
  const factor = ["factor", "--statistics", path("few-statistics.arrow"), "--damping", "0"];

  const retried = await done([...factor, "--output", path("retried.arrow")]);
  assert.match(retried.stderr, /h\.0 attention-qkv: factorised after 2 retries, in float64 with damping 0\.0001/);
  for (const row of (await inspect(path("retried.arrow"))).summary) {
    assert.equal([row["retries"], row["precision"], row["damping"], row["factor"]], [2, "float64", 1e-4, "yes"]);
  }

  await refused([...factor, "--raises", "0"], 65, /h\.0 attention-qkv: H stays singular .*--damping.*--on-singular rtn/, {
    output: path("no.arrow"),
  });

  const left = path("left.arrow");
  await done([...factor, "--raises", "0", "--on-singular", "rtn", "--output", left]);
  for (const row of (await inspect(left)).summary) assert.is(row["factor"], "rtn");
  for (const [solver, fallback] of [
    ["gptq", "rtn"],
    ["sparsegpt", "magnitude"],
  ] as const) {
    const layers = path(`left-${solver}.arrow`);
    const { stderr } = await done(["compress", "--model", model, "--solver", solver, "--factors", left, "--output", layers]);
    assert.match(stderr, /8 of 8 sites had no factor/);
    for (const row of (await inspect(layers)).summary) assert.is(row["fallback"], fallback);
  }
});

test.run();
