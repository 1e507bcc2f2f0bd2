import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isCarried } from "@mbs/models";
import type { JsonObject, Model } from "@mbs/models";
import {
  forwardFixture,
  logitsOf,
  oldRows,
  readJson,
  temporaryFolder,
  textTokens,
  trimInto,
  withModel,
  writeCorpus,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

/** Four special tokens, eight letters, and pairs of them. */
const letters = ["A", "B", "C", "D", "E", "F", "G", "H"];
const pairs = letters.flatMap((first) => letters.map((second) => [first, second] as const)).slice(0, 52);
const tokens = ["<0>", "<1>", "<2>", "<3>", ...letters, ...pairs.map((pair) => pair.join(""))];
const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: false },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: pairs.map((pair) => pair.join(" ")),
  },
};

const text = "ABBACABAFGHAABBA";
const corpus = await writeCorpus(root, { en: Array.from({ length: 4 }, () => text) });

const carriedBytes = async ({ checkpoint, kind, ...model }: Model): Promise<readonly (readonly [string, string])[]> => {
  if (kind === "graph" || !("layout" in model)) throw new Error("a graph");
  const names = checkpoint.list().flatMap(({ name }) => (isCarried(model.layout, name) ? [name] : []));
  return Promise.all(names.map(async (name) => [name, Buffer.from(await checkpoint.readRaw(name)).toString("base64")] as const));
};

/** Fixture → ids of tokens of images, and keys of text_config with the size of the vocabulary. */
const wrapped: readonly (readonly [string, Readonly<Record<string, number>>, readonly string[]])[] = [
  ["gemma3-images-f32", { image_token_index: 60, boi_token_index: 61, eoi_token_index: 62 }, ["vocab_size"]],
  [
    "gemma4-images-f32",
    {
      image_token_id: 60,
      boi_token_id: 61,
      eoi_token_id: 62,
      video_token_id: 59,
      audio_token_id: 58,
      boa_token_id: 57,
      eoa_token_index: 56,
    },
    ["vocab_size", "vocab_size_per_layer_input"],
  ],
  [
    "qwen3-5-images-f32",
    { image_token_id: 60, video_token_id: 61, vision_start_token_id: 62, vision_end_token_id: 59 },
    ["vocab_size"],
  ],
];

for (const [fixture, images, sizes] of wrapped) {
  test(`${fixture}: a wrapped model keeps the tokens of images under their new ids, and everything beside its language model`, async () => {
    const source = join(root, fixture);
    await cp(forwardFixture(fixture), source, { recursive: true });
    const config = (await readJson(source, "config.json")) as JsonObject & { readonly text_config: JsonObject };
    const edited = { ...config, ...images, eos_token_id: [2, 50], text_config: { ...config.text_config, pad_token_id: 40 } };
    await writeFile(join(source, "config.json"), JSON.stringify(edited, undefined, 2));
    await writeFile(join(source, "tokenizer.json"), JSON.stringify(tokenizer));
    await writeFile(join(source, "processor_config.json"), '{ "image_token": "CC", "image_token_id": 55, "scale": 1.0 }');
    const { folder } = await trimInto(root, { model: source, corpus, keep: ["en"], multiple: 1 });

    const rows = await oldRows(source, folder);
    const idOf = (old: number): number => rows.indexOf(old);
    assert.ok(rows.length < 64 && [...Object.values(images), 50, 40, 55].every((old) => idOf(old) >= 0 && idOf(old) < old));
    const { mbs_trimming: record, ...written } = await readJson(folder, "config.json");
    assert.ok(record !== undefined);
    assert.equal(written, {
      ...edited,
      ...Object.fromEntries(Object.entries(images).map(([key, id]) => [key, idOf(id)])),
      eos_token_id: [idOf(2), idOf(50)],
      text_config: {
        ...edited.text_config,
        ...Object.fromEntries(sizes.map((key) => [key, rows.length])),
        bos_token_id: idOf(1),
        eos_token_id: idOf(2),
        pad_token_id: idOf(40),
      },
    });
    assert.is(
      await readFile(join(folder, "processor_config.json"), "utf8"),
      `{ "image_token": "CC", "image_token_id": ${idOf(55)}, "scale": 1.0 }`,
    );

    await withModel(source, async (before) =>
      withModel(folder, async (after) => {
        assert.equal(await carriedBytes(after), await carriedBytes(before));
        const [old, own] = [await textTokens(before, text), await textTokens(after, text)];
        assert.equal(
          [...own].map((id) => rows[id]),
          [...old],
        );
        const [expected, found] = [await logitsOf(before, old), await logitsOf(after, own)];
        // rows of the head are multiplied alike, in tiles of another width
        for (const [id, row] of rows.entries()) {
          const last = old.length - 1;
          const difference = Math.abs(
            (found.values[last * found.columns + id] ?? NaN) - (expected.values[last * expected.columns + row] ?? NaN),
          );
          assert.ok(difference < 1e-5, `${id}: ${difference}`);
        }
      }),
    );
  });
}

test.run();
