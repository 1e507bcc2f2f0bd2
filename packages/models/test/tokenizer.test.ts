import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { tinyTokenizer } from "../src/tiny-tokenizer.ts";
import { loadTokenizer } from "../src/tokenizer.ts";

const json = tinyTokenizer() as Record<string, unknown>;
const folder = "/nowhere";

test("texts go to one token a byte and back, and have their bytes", async () => {
  const tokenizer = await loadTokenizer(folder, json);
  for (const text of ["plain", "é ñ", "नमस्ते", "日本語\n\n  x", "👩‍👩‍👧", " .  ' n't", "<s> is text"]) {
    const ids = tokenizer.encode(text);
    if (!text.includes("<s>"))
      assert.equal(
        [...ids],
        [...Buffer.from(text)].map((byte) => 4 + byte),
        text,
      );
    assert.is(tokenizer.byteLength(ids), Buffer.byteLength(text) - (text.includes("<s>") ? 3 : 0), text);
    assert.is(tokenizer.decode(ids), text.replace("<s>", ""), text);
  }
});

test("a token within a character counts its own bytes", async () => {
  const tokenizer = await loadTokenizer(folder, json);
  const ids = tokenizer.encode("日");
  assert.is(tokenizer.byteLength(ids.subarray(0, 1)), 1);
  assert.is(tokenizer.byteLength(ids.subarray(1)), 2);
});

test("a token is put first only where the post-processor says so", async () => {
  const plain = await loadTokenizer(folder, json);
  assert.is(plain.bos, undefined);
  const template = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
  };
  const withBos = await loadTokenizer(folder, { ...json, post_processor: template });
  assert.is(withBos.bos, 1);
  assert.equal([...withBos.encode("a")], [4 + 97]);
});

test("other tokenizers and unknown ids are refused", async () => {
  try {
    await loadTokenizer(folder, { ...json, decoder: { type: "Metaspace" } });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match(String(error), "only byte-level BPE");
  }
  const tokenizer = await loadTokenizer(folder, json);
  assert.throws(() => tokenizer.byteLength([260]), /has no token 260/);
});

test("a vocabulary whose ids are no whole numbers is refused", async () => {
  for (const vocab of [undefined, null, ["a"], { a: -1 }, { a: 1.5 }, { a: 2 ** 31 }, { a: "1" }]) {
    try {
      await loadTokenizer(folder, { ...json, model: { ...(json["model"] as object), vocab } });
      assert.unreachable(JSON.stringify(vocab));
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match(String(error), "no vocabulary");
    }
  }
});

test.run();
