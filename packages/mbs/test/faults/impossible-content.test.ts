import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  collect,
  encodeFactors,
  encodeLayers,
  encodeStates,
  openArtifact,
  parseMetadata,
  readFactors,
  readLayers,
  readStates,
  writeArtifact,
  type FactorRecord,
  type LayerRecord,
} from "@mbs/artifacts";
import { writeTinyModel } from "@mbs/models/testing";
import * as assert from "uvu/assert";
import { present } from "../fixtures/present.ts";
import { tensorOffsets } from "../fixtures/tensor-offsets.ts";
import { done, faultSuite, refused, sampling } from "../fixtures/fault-suite.ts";

const test = faultSuite("impossible numbers and content");

test.before(async ({ model, corpus, path }) => {
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  await done(["propagate", "--model", model, "--source", path("segments.arrow"), "--output", path("states.arrow")]);
  await done(["capture", "--model", model, "--source", path("states.arrow"), "--output", path("statistics.arrow")]);
  await done(["factor", "--statistics", path("statistics.arrow"), "--output", path("factors.arrow")]);
  const compress = ["compress", "--model", model, "--solver", "rtn", "--bits", "4"];
  await done([...compress, "--factors", path("factors.arrow"), "--output", path("layers.arrow")]);
});

const bytes = (data: Uint8Array, at: number, value: number): Uint8Array => data.map((old, index) => (index === at ? value : old));

/** A copy with one value changed. */
const changed = (values: Float32Array, at: number, value: number): Float32Array =>
  values.map((old, index) => (index === at ? value : old));

test("states with a NaN are refused by every reader, with block, segment, language and stream", async ({ model, path }) => {
  const stream = await openArtifact(path("states.arrow"));
  const metadata = parseMetadata("states", stream.schema);
  const [first, second, ...rest] = await collect(readStates(stream));
  assert.ok(first && second);
  const broken = { ...second, values: changed(second.values, 35, NaN) };
  await writeArtifact(encodeStates([first, broken, ...rest], metadata), path("broken-states.arrow"), { force: false });
  for (const stage of ["propagate", "capture"]) {
    await refused(
      [stage, "--model", model, "--source", path("broken-states.arrow")],
      65,
      /: states hidden of segment 1 of en after 0 blocks: NaN at row 1, column 3; propagate again\n$/,
      { output: path("no.arrow") },
    );
  }
});

test("impossible factors are refused before anything is compressed", async ({ model, path }) => {
  const stream = await openArtifact(path("factors.arrow"));
  const metadata = parseMetadata("factors", stream.schema);
  const [first, ...rest] = await collect(readFactors(stream));
  assert.ok(first?.upper);
  const { upper } = first;
  const cases: readonly (readonly [Partial<FactorRecord>, RegExp])[] = [
    [{ upper: changed(upper, 5, NaN) }, /upper of the factor of h\.0 attention-qkv: NaN at row 0, column 5; factor again/],
    [{ upper: changed(upper, 0, -1) }, /its upper has -1 at row 0, column 0, where it is above 0; factor again/],
  ];
  for (const [change, message] of cases) {
    await writeArtifact(encodeFactors([{ ...first, ...change }, ...rest], metadata), path("broken.arrow"), { force: true });
    const compress = ["compress", "--model", model, "--factors", path("broken.arrow")];
    await refused(compress, 65, message, { output: path("no.arrow") });
  }
});

test("impossible layers are refused, and no folder is written", async ({ model, path }) => {
  const stream = await openArtifact(path("layers.arrow"));
  const metadata = parseMetadata("layers", stream.schema);
  const [first, ...rest] = await collect(readLayers(stream));
  assert.ok(first?.values && first.groups, "rtn makes codes");
  const { values, groups } = first;
  const cases: readonly (readonly [Partial<LayerRecord>, RegExp])[] = [
    // the high byte of an f16 with all bits of the exponent
    [{ values: { ...values, data: bytes(values.data, 7, 0x7e) } }, /values hold NaN at row 0, column 3; compress again/],
    [{ groups: { ...groups, data: bytes(groups.data, 4, 9) } }, /groups put column 1 in group 9 of 1;/],
  ];
  for (const [change, message] of cases) {
    await writeArtifact(encodeLayers([{ ...first, ...change }, ...rest], metadata), path("broken.arrow"), { force: true });
    const assemble = ["assemble", "--model", model, "--layers", path("broken.arrow")];
    await refused(assemble, 65, message, { output: path("no") });
  }
});

/** Fills a float32 tensor. */
async function fill(model: string, tensor: string, value: number): Promise<void> {
  const path = join(model, "model.safetensors");
  const file = await readFile(path);
  const [start, end] = present(tensorOffsets(file).get(tensor), tensor);
  for (let offset = start; offset < end; offset += 4) file.writeFloatLE(value, offset);
  await writeFile(path, file);
}

test("an overflow of the model is reported where it first appears: block, segment or window, language", async ({
  corpus,
  path,
}) => {
  const model = path("overflow");
  await writeTinyModel(model, { dtype: "f32" });
  await fill(model, "transformer.h.1.mlp.dense_4h_to_h.weight", 3e38);
  const remedy = "channel \\d+; a weight is broken or too large: take the model";
  const evaluate = ["evaluate", "--model", model, "--corpus", corpus, "--length", "32", "--windows", "2"];
  const window = new RegExp(`overflow, h\\.1, stream hidden: (NaN|-?Infinity) in en window 0, token \\d+, ${remedy}`);
  await refused(evaluate, 65, window, { output: path("no.arrow") });
  await fill(model, "transformer.word_embeddings_layernorm.weight", 3e38);
  const embedding = new RegExp(`embedding, stream hidden: .* in segment 0 of en, token \\d+, ${remedy}`);
  await done([...sampling(model, corpus), "--output", path("overflow.arrow")]);
  await refused(["capture", "--model", model, "--source", path("overflow.arrow")], 65, embedding, { output: path("no.arrow") });
});

test("a tokenizer.json that its library cannot read is refused with the path of the key", async ({ model, corpus, path }) => {
  const hostile = path("hostile");
  await cp(model, hostile, { recursive: true });
  const file = join(hostile, "tokenizer.json");
  const json = JSON.parse(await readFile(file, "utf8")) as { added_tokens: { id: number }[] };
  const split = { type: "Split", pattern: { String: " " }, invert: false };
  const added = (id: number) => ({
    added_tokens: json.added_tokens.map((token, index) => (index === 3 ? { ...token, id } : token)),
  });
  for (const [change, message] of [
    [{ pre_tokenizer: { ...split, behavior: 5 } }, /tokenizer\.json: pre_tokenizer\.behavior is 5, not one of Removed, /],
    [{ post_processor: { type: "TemplateProcessing", single: 5 } }, /tokenizer\.json: post_processor\.single is 5, not a list;/],
    [added(-5), /tokenizer\.json: added_tokens\[3\]\.id is -5, not a whole number from 0/],
  ] as const) {
    await writeFile(file, JSON.stringify({ ...json, ...change }));
    await refused(sampling(hostile, corpus), 65, message, { output: path("no.arrow") });
  }
});

test.run();
