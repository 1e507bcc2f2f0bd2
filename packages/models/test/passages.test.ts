import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../src/index.ts";
import { languageTokenOf } from "../src/tokenizer/language-token.ts";

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));
const tokens = Int32Array.from({ length: 20 }, (_, at) => 4 + at);

test("a decoder reads a segment as it is", async () => {
  const model = await openModel(`${fixtures}plain-f32`);
  const { ofSegment, ofPair, ofPrompt } = await model.passages();
  assert.equal(model.streams, ["hidden"]);
  assert.equal(ofSegment(tokens, [0]), {
    inputs: new Map([["hidden", tokens]]),
    scored: tokens,
    first: 1,
    predicted: tokens.subarray(1),
  });
  assert.equal(ofSegment(tokens, [0], 5).predicted, tokens.subarray(5));
  assert.equal(ofPrompt(tokens), new Map([["hidden", tokens]]));
  assert.is(ofPair, undefined);
  await model.close();
});

test("an encoder-decoder reads the source and predicts the target after its start token, both with their end", async () => {
  const model = await openModel(`${fixtures}t5-untied-f16`);
  const { ofSegment, ofPair, ofPrompt } = await model.passages();
  assert.equal(model.streams, ["encoder", "hidden"]);
  assert.equal(ofPair?.(Int32Array.of(9, 8), Int32Array.of(7, 6, 5), { source: "en", target: undefined }), {
    inputs: new Map([
      ["encoder", Int32Array.of(9, 8, 1)],
      ["hidden", Int32Array.of(3, 7, 6, 5)],
    ]),
    scored: Int32Array.of(3, 7, 6, 5, 1),
    first: 1,
    predicted: Int32Array.of(7, 6, 5),
  });
  assert.equal(
    ofPrompt(Int32Array.of(9)),
    new Map([
      ["encoder", Int32Array.of(9, 1)],
      ["hidden", Int32Array.of(3)],
    ]),
  );
  // 20 tokens: 3 in one span, for which the sentinel 63 stands
  const { inputs, scored, predicted } = ofSegment(tokens, [0, "en", 1]);
  const source = inputs.get("encoder") ?? new Int32Array(0);
  const [start, sentinel, ...rest] = scored;
  assert.equal([start, sentinel, rest.at(-1), source.at(-1)], [3, 63, 1, 1]);
  assert.equal(inputs.get("hidden"), scored.subarray(0, -1));
  assert.equal([...predicted], rest.slice(0, -1));
  const place = source.indexOf(63);
  assert.equal(Int32Array.from([...source.subarray(0, place), ...predicted, ...source.subarray(place + 1, -1)]), tokens);
  await model.close();
});

test("a translation model reads the tokens of both languages, however they are named", async () => {
  // "eng_Latn" is 60, "mar_Deva" 61; of the other "__en__" and "__mr__"
  for (const [name, own] of [
    ["m2m-100-nllb-sharded-bf16", { source: "mar_Deva", target: "eng_Latn" }],
    ["m2m-100-f32", { source: "mr", target: "en" }],
  ] as const) {
    const model = await openModel(`${fixtures}${name}`);
    const { ofPair, ofSegment, ofPrompt } = await model.passages();
    for (const languages of [own, { source: "mr", target: "en_US" }, { source: "mar", target: "eng-Latn" }]) {
      assert.equal(ofPair?.(Int32Array.of(9, 8), Int32Array.of(7, 6), languages), {
        inputs: new Map([
          ["encoder", Int32Array.of(61, 9, 8, 2)],
          ["hidden", Int32Array.of(2, 60, 7, 6)],
        ]),
        scored: Int32Array.of(2, 60, 7, 6, 2),
        first: 1,
        predicted: Int32Array.of(7, 6),
      });
    }
    const pair = (source: string, target: string | undefined) => () => ofPair?.(tokens, tokens, { source, target });
    assert.throws(pair("mr", undefined), /the language of a target; name it with --target-language/);
    assert.throws(pair("fr", "en"), /has no token of the language fr; name the language as the tokenizer does: e/);
    assert.throws(pair("sr-Latn", "en"), /has no token of the language sr-Latn/);
    assert.throws(() => ofSegment(tokens, [0]), /cannot predict spans cut out of a text; give sources with targets/);
    assert.throws(() => ofPrompt(tokens), /cannot answer a text alone/);
    await model.close();
  }
});

test("mBART reads the language behind a text, mBART-50 before it", async () => {
  // "en_XX" is 60, "mr_XX" 61
  for (const [name, source, scored] of [
    ["mbart-50-f32", [61, 9, 8, 2], [2, 60, 7, 6, 2]],
    ["mbart-25-sharded-bf16", [9, 8, 2, 61], [60, 7, 6, 2, 60]],
  ] as const) {
    const model = await openModel(`${fixtures}${name}`);
    const { ofPair } = await model.passages();
    assert.equal(ofPair?.(Int32Array.of(9, 8), Int32Array.of(7, 6), { source: "mr", target: "en" }), {
      inputs: new Map([
        ["encoder", Int32Array.from(source)],
        ["hidden", Int32Array.from(scored.slice(0, -1))],
      ]),
      scored: Int32Array.from(scored),
      first: 1,
      predicted: Int32Array.of(7, 6),
    });
    await model.close();
  }
});

test("two tokens of one language are told apart by their own names alone", () => {
  const languages = new Map([
    ["pes_Arab", 5],
    ["prs_Arab", 6],
    ["hin_Deva", 7],
  ]);
  assert.is(languageTokenOf({ languages }, "prs_Arab"), 6);
  assert.is(languageTokenOf({ languages }, "hi"), 7);
  assert.throws(() => languageTokenOf({ languages }, "fa"), /several tokens for the language fa; .*: pes_Arab, prs_Arab$/);
});

test("a model without tokens of languages refuses the target's", async () => {
  const model = await openModel(`${fixtures}t5-untied-f16`);
  const { ofPair, ofWholePair } = await model.passages();
  assert.throws(() => ofPair?.(tokens, tokens, { source: "en", target: "de" }), /reads no language of a target; leave out/);
  assert.equal(ofWholePair?.(Int32Array.of(9, 1), Int32Array.of(3, 7, 1)).inputs.get("hidden"), Int32Array.of(3, 7));
  await model.close();
});

test("sentinels are found as T5 adds them and as mT5's vocabulary spells them; without them no span can be cut out", async () => {
  const root = await mkdtemp(join(tmpdir(), "passages-test-"));
  try {
    await cp(`${fixtures}mt5-f32`, root, { recursive: true });
    const file = join(root, "tokenizer.json");
    const json = await readFile(file, "utf8");
    for (const [spelling, found] of [
      ["<extra_id_", 8],
      ["▁<extra_id_", 8],
      ["<sentinel_", 0],
    ] as const) {
      await writeFile(file, json.replaceAll("<extra_id_", spelling));
      const model = await openModel(root);
      const { sentinels } = await model.tokenizer();
      assert.equal(
        sentinels,
        Array.from({ length: found }, (_, at) => 63 - at),
      );
      const passages = await model.passages();
      if (found > 0) passages.ofSegment(tokens, [0]);
      else assert.throws(() => passages.ofSegment(tokens, [0]), /no sentinel tokens/);
      await model.close();
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

test.run();
