import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentAddress, parseMetadata, unpackFiles } from "@mbs/artifacts";
import type { StageInputs } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";
import { runStage } from "../fixtures/stage-runs.ts";

const test = suite("last states of models in every form");

const root = await mkdtemp(join(tmpdir(), "mbs-last-states-"));
test.after(() => rm(root, { recursive: true }));

const [model, corpus] = [join(root, "dense"), join(root, "texts")];
const texts = { corpus, length: 32 };

async function write(format: string, inputs: StageInputs): Promise<string> {
  const folder = join(root, format);
  await unpackFiles(await runStage("assemble", inputs, { model, format }), folder, {});
  return folder;
}

test.before(async () => {
  await writeTinyModel(model, { hiddenSize: 64, contextLength: 64, seed: 1 });
  await mkdir(corpus);
  for (const language of ["en", "mr"]) {
    const lines = Array.from({ length: 12 }, (_, index) => `${language} ${index}, words of ${language} and ${index * 7} more.`);
    await writeFile(join(corpus, `${language}.txt`), lines.join("\n\n"));
  }
});

const compressed = () => runStage("compress", {}, { model, solver: "rtn", bits: 4, groupSize: 32, withoutFactors: true });

/** Scores with and without the first model's last states have one address. @returns what the states are multiplied with */
async function requireSame(first: string, others: readonly string[], options: object): Promise<string> {
  const models = [first, ...others];
  const given = { model: models, labels: models.map((_, index) => `model-${index}`), ...texts, ...options };
  const states = await runStage("last-states", {}, { model: first, ...texts, ...options });
  const { activations } = parseMetadata("last-states", states.schema);
  const [own, plain] = [await runStage("evaluate", { lastStates: [states] }, given), await runStage("evaluate", {}, given)];
  assert.is((await contentAddress(own)).address, (await contentAddress(plain)).address);
  return activations;
}

test("scores are the same bytes with those of a packed model, in float32 and in int8, and of an ONNX model", async () => {
  const packed = await write("gptq-v2", { layers: [await compressed()] });
  const onnx = await write("onnx", { layers: [await compressed()] });
  assert.is(await requireSame(packed, [model, onnx], {}), "float32");
  assert.is(await requireSame(packed, [model], { activations: "int8" }), "int8");
  assert.is(await requireSame(onnx, [model, packed], {}), "float32");
  // a dense one is run in float32 in any case
  assert.is(await requireSame(model, [packed, onnx], { activations: "int8" }), "float32");
});

test("the commands pass them through a pipe, and a file serves several evaluations", async () => {
  const given = ["--corpus", corpus, "--length", "32", "--threads", "1", "--quiet"];
  const states = await runMbs(["last-states", "--model", model, ...given]);
  assert.is(states.code, 0, states.stderr);
  const file = join(root, "last-states.arrow");
  await writeFile(file, states.stdout);
  const evaluated = ["evaluate", "--model", model, "--model", join(root, "gptq-v2"), ...given];
  const plain = await runMbs(evaluated);
  const piped = await runMbs([...evaluated, "-"], states.stdout);
  const named = await runMbs([...evaluated, "--last-states", file]);
  for (const made of [piped, named]) {
    assert.is(made.code, 0, made.stderr);
    assert.equal(made.stdout, plain.stdout);
  }
  const other = await runMbs(["evaluate", "--model", join(root, "gptq-v2"), ...given, "--last-states", file]);
  assert.is(other.code, 65);
  assert.match(other.stderr, /the last states are of model [0-9a-f]{64}, .*gptq-v2 is [0-9a-f]{64}; make them again/);
  const shown = await runMbs(["inspect", file]);
  assert.match(shown.stdout.toString(), /last-states/);
});

test.run();
