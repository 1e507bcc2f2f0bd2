import { readFile } from "node:fs/promises";
import { FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tokenizerFromGguf } from "../../src/gguf/gguf-tokenizer.ts";
import { tokenizerFields } from "../../src/gguf/writing/tokenizer-fields.ts";
import { makeTokenizer } from "../../src/tokenizer/tokenizer.ts";

interface Fixture {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly lines: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

const file = "model.gguf";
const read = async (name: string): Promise<Fixture> =>
  JSON.parse(await readFile(new URL(`../fixtures/gguf-tokenizers/${name}.json`, import.meta.url), "utf8")) as Fixture;

/** The tokenizer of a fixture as a folder's files, and written as metadata again. */
function writeAgain({ metadata }: Fixture, change: (tokenizer: Record<string, unknown>) => void = () => undefined) {
  const { tokenizer, config } = tokenizerFromGguf(new Map(Object.entries(metadata)), file);
  const changed = structuredClone(tokenizer) as Record<string, unknown>;
  change(changed);
  const rows = (metadata["tokenizer.ggml.tokens"] as readonly string[]).length;
  const chatTemplate = config["chat_template"] as string | undefined;
  return tokenizerFields({ path: "model", tokenizer: changed, config, chatTemplate, settings: {}, rows });
}

for (const name of ["byte-level", "sentencepiece-bpe", "unigram"]) {
  test(`${name}: a tokenizer that is written gives the same tokens`, async () => {
    const fixture = await read(name);
    const fields = writeAgain(fixture);
    const metadata = new Map<string, unknown>([...fields].map(([key, { value }]) => [key, value]));
    metadata.set("general.architecture", fixture.metadata["general.architecture"]);
    const { tokenizer, config } = tokenizerFromGguf(metadata, file);
    const made = makeTokenizer(file, tokenizer, config);
    for (const { text, ids } of fixture.lines) assert.equal([...made.encode(text)], ids, JSON.stringify(text));
    for (const key of ["tokens", "merges", "model", "bos_token_id", "eos_token_id", "unknown_token_id"]) {
      const whole = `tokenizer.ggml.${key}`;
      const expected = fixture.metadata[whole];
      // T5's sentinels are in rows that the fixture names no tokens of
      const isLonger = name === "unigram" && key === "tokens";
      if (expected !== undefined && !isLonger) assert.equal(metadata.get(whole), expected, whole);
    }
    assert.is(metadata.get("tokenizer.chat_template"), fixture.metadata["tokenizer.chat_template"]);
  });
}

test("the way of splitting gets the name that llama.cpp knows, and another one is refused", async () => {
  const fixture = await read("byte-level");
  assert.is(writeAgain(fixture).get("tokenizer.ggml.pre")?.value, fixture.metadata["tokenizer.ggml.pre"]);
  const digits = { type: "Digits", individual_digits: true };
  const plain = { type: "ByteLevel", add_prefix_space: false };
  const named = writeAgain(fixture, (tokenizer) => {
    tokenizer["normalizer"] = null;
    tokenizer["pre_tokenizer"] = { type: "Sequence", pretokenizers: [digits, plain] };
  });
  assert.is(named.get("tokenizer.ggml.pre")?.value, "starcoder");
  try {
    writeAgain(fixture, (tokenizer) => {
      tokenizer["pre_tokenizer"] = { type: "Sequence", pretokenizers: [{ ...digits, individual_digits: false }, plain] };
    });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), /splits texts in a way that llama\.cpp has no name for, .*known: .*gpt-2/);
  }
});

test("merges that are not SentencePiece's are refused", async () => {
  const fixture = await read("sentencepiece-bpe");
  try {
    writeAgain(fixture, (tokenizer) => {
      const model = tokenizer["model"] as { merges: unknown[] };
      model.merges.splice(model.merges.length / 2, 1);
    });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), /lacks \d+ of the merges/);
  }
});

test.run();
