import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeModel, readScoredModels } from "../src/scored-models.ts";

let folder = "";

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-scored-"));
  await writeTinyModel(folder);
});
test.after(() => rm(folder, { recursive: true, force: true }));

async function describe(activations: "float32" | "int8" = "float32") {
  const model = await openModel(folder);
  try {
    return await describeModel({ model, vocabulary: undefined }, activations, assert.unreachable);
  } finally {
    await model.close();
  }
}

test("the size is that of the weight files; a model with no record was made elsewhere", async () => {
  const { size } = await stat(join(folder, "model.safetensors"));
  const parameters = 33_856;
  assert.equal(await describe(), { bytes: size, parameters });
  assert.equal(await describe("int8"), { bytes: size, parameters, activations: "int8" });
});

test("method and mix come from the record: methods once, the mix as shares, mean over layers", async () => {
  const layers = [
    { address: "a", solver: "gptq", options: { bits: 3 }, order: "natural", weights: { en: 3, sw: 1 } },
    { address: "b", solver: "gptq", options: { bits: 3 }, order: "natural", weights: { en: 1 } },
  ];
  await writeFile(join(folder, "mbs.json"), JSON.stringify({ version: 1, model: "m", layers }));
  const described = await describe();
  assert.equal(described.made, {
    source: "m",
    format: "dense",
    methods: [{ solver: "gptq", options: { bits: 3 } }],
    mix: { en: 0.875, sw: 0.125 },
    layers: ["a", "b"],
  });
  assert.equal(readScoredModels({ small: described }).get("small"), described);
});

test("nothing is known without metadata, and what is malformed is refused", () => {
  assert.is(readScoredModels().size, 0);
  const made = { source: "m", format: "dense", methods: [], mix: { en: 1 } };
  const layers = { bytes: 1, made: { ...made, layers: [1] } };
  const mixes = [{ en: "all" }, { en: -1, de: 0 }, { en: 0 }, { en: 1e308, de: 1e308 }].map((mix) => ({
    bytes: 1,
    made: { ...made, mix },
  }));
  for (const broken of [1, {}, { bytes: -0.5 }, { bytes: -5 }, { bytes: 0 }, { bytes: 1, made: 1 }, layers, ...mixes]) {
    assert.throws(
      () => readScoredModels({ small: broken }),
      (error: unknown) => error instanceof BadDataError && error.message.includes("small"),
    );
  }
});

test.run();
