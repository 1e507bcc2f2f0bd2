import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers";
import type { PreTrainedModel, PreTrainedTokenizer, Tensor } from "@huggingface/transformers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { unpackFiles } from "@mbs/artifacts";
import { generate, openModel } from "@mbs/models";
import { assemble } from "../src/index.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

const source = resolve(import.meta.dirname, "../../../datasets/controlled-bloom");
const root = await mkdtemp(join(tmpdir(), "transformers-js-test-"));
test.after(() => rm(root, { recursive: true }));

env.allowRemoteModels = false;
env.localModelPath = root;

const texts = ["The file is", "Cliquez sur", "ファイルを"];
const newTokens = 12;

/** Writes the model with every weight rounded, as ONNX and dense. */
async function write(name: string, rounding: Rounding, options: Record<string, unknown>) {
  const folders = { onnx: join(root, name), dense: join(root, `${name}-dense`) };
  const model = await openModel(source);
  for (const format of ["onnx", "dense"] as const) {
    const layers = [caseLayers(model, { name, format, rounding: () => rounding })];
    const own = format === "onnx" ? options : {};
    const { files } = await assemble.run({ layers }, { model: source, format, ...own }, quietContext);
    await unpackFiles(files, folders[format], { force: false });
  }
  await model.close();
  return folders;
}

/** Greedy continuations by transformers.js, from a folder below its localModelPath: of each text, and of all as a batch. */
async function continueThere(folder: string): Promise<{ alone: string[]; together: string[] }> {
  assert.is(dirname(folder), root);
  const tokenizer: PreTrainedTokenizer = await AutoTokenizer.from_pretrained(basename(folder));
  const model: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(basename(folder));
  const continued = async (given: readonly string[]): Promise<string[]> => {
    const inputs = tokenizer([...given], { padding: true }) as { input_ids: Tensor; attention_mask: Tensor };
    const outputs = (await model.generate({ ...inputs, max_new_tokens: newTokens, do_sample: false })) as Tensor;
    const added = outputs.slice(null, [inputs.input_ids.dims[1], outputs.dims[1]]);
    return tokenizer.batch_decode(added, { skip_special_tokens: true });
  };
  const alone: string[] = [];
  for (const text of texts) alone.push(...(await continued([text])));
  const together = await continued(texts);
  await model.dispose();
  return { alone, together };
}

async function continueHere(folder: string): Promise<string[]> {
  const model = await openModel(folder);
  const continued: string[] = [];
  for (const text of texts) continued.push(await generate(model, text, newTokens, { threads: 1 }));
  await model.close();
  return continued;
}

for (const [name, rounding, options] of [
  ["four", { bits: 4, groupSize: 64, symmetric: true }, {}],
  ["three-planes", { bits: 3, groupSize: 32, symmetric: false }, { threeBit: "planes" }],
  ["three-nibbles", { bits: 3, groupSize: 32, symmetric: true, scattered: true }, { threeBit: "nibbles", embeddings: "f32" }],
  ["pruned", { pruned: true }, {}],
] as const) {
  test(`transformers.js continues texts as our own forward pass does: ${name}`, async () => {
    const folders = await write(name, rounding, options);
    const expected = await continueHere(folders.dense);
    assert.ok(expected.every((text) => text.length > newTokens / 2));
    const { alone, together } = await continueThere(folders.onnx);
    assert.equal(alone, expected);
    assert.equal(together, expected, "as a batch, filled up on the left");
  });
}

test.run();
