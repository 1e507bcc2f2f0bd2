import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../src/index.ts";

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
  assert.equal(ofPair?.(Int32Array.of(9, 8), Int32Array.of(7, 6, 5)), {
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
