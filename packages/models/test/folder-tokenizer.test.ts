import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { readDescription } from "../src/folder/model-description.ts";
import type { ModelDescription } from "../src/folder/model-description.ts";
import { tokenizerFromGguf } from "../src/gguf/gguf-tokenizer.ts";
import { tokenizerFields } from "../src/gguf/writing/tokenizer-fields.ts";
import { openMergeList } from "../src/tokenizer/merge-list.ts";
import { makeHubTokenizer, makeTokenizer } from "../src/tokenizer/tokenizer.ts";

const test = suite("folder-tokenizer");

const fixtures = fileURLToPath(new URL("fixtures/tokenizer-files/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "folder-tokenizer-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

interface Golden {
  readonly lines: readonly { readonly text: string; readonly ids: readonly number[]; readonly decoded: string | null }[];
  /** The tokens of "a" with those that are put around it. */
  readonly a: readonly number[];
}

const golden = async (name: string): Promise<Golden> =>
  JSON.parse(await readFile(join(fixtures, name, "golden.json"), "utf8")) as Golden;

type Json = Readonly<Record<string, unknown>>;

/** A copy of a fixture with other content in some files; null removes one. */
async function edited(name: string, files: Readonly<Record<string, Json | string | Uint8Array | null>>): Promise<string> {
  const folder = join(root, String(count++));
  await cp(join(fixtures, name), folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    if (content === null) await rm(join(folder, file));
    else
      await writeFile(
        join(folder, file),
        typeof content === "string" || ArrayBuffer.isView(content) ? content : JSON.stringify(content),
      );
  }
  return folder;
}

async function refusal(folder: string, Category: typeof BadDataError | typeof FailedPreconditionError): Promise<string> {
  try {
    await (await readDescription(folder)).tokenizer();
  } catch (error) {
    assert.instance(error, Category, String(error));
    assert.not.match((error as Error).message, /\n/);
    return (error as Error).message;
  }
  return "accepted";
}

const parsed = async ({ files }: ModelDescription, name = "tokenizer.json"): Promise<Json> =>
  JSON.parse(await files.text(name)) as Json;

for (const name of await readdir(fixtures)) {
  test(`${name}: tokens, texts and what is put around them are the reference's`, async () => {
    const { lines, a } = await golden(name);
    const description = await readDescription(join(fixtures, name));
    const tokenizer = await description.tokenizer();
    assert.ok(lines.length > 30);
    for (const { text, ids, decoded } of lines) {
      assert.equal([...tokenizer.encode(text)], ids, JSON.stringify(text));
      if (decoded !== null) assert.is(tokenizer.decode(ids), decoded, JSON.stringify(text));
    }
    assert.equal(makeHubTokenizer(name, await parsed(description), {}).encode("a").ids, a);
  });
}

test("the address is that of the tokenizer.json in the model's files, and of a folder that is written of them", async () => {
  const description = await readDescription(join(fixtures, "llama"));
  const names = await description.files.list();
  assert.equal(names, [
    "config.json",
    "golden.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
  ]);
  const written = join(root, String(count++));
  await cp(join(fixtures, "llama"), written, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    await writeFile(join(written, file), await description.files.text(file));
  const again = await readDescription(written);
  assert.is(again.tokenizerAddress, description.tokenizerAddress);
  const [before, after] = [await description.tokenizer(), await again.tokenizer()];
  assert.equal([after.bos, after.prefix, after.eos], [before.bos, before.prefix, before.eos]);
  assert.equal(after.eos, { id: 2, text: "</s>" });
});

test("M2M-100's tokens of languages are behind those of vocab.json, which has every piece once", async () => {
  const { languages } = (await golden("m2m-100")) as Golden & { languages: Record<string, number> };
  const own = await (await readDescription(join(fixtures, "m2m-100"))).tokenizer();
  assert.is(own.languages.size, 100);
  for (const [language, id] of Object.entries(languages)) assert.is(own.languages.get(language), id, language);
  const wmt = await edited("m2m-100", { "tokenizer_config.json": { language_codes: "wmt21" } });
  assert.equal([...(await (await readDescription(wmt)).tokenizer()).languages.keys()].length, 8);
  const vocab = JSON.parse(await readFile(join(fixtures, "m2m-100", "vocab.json"), "utf8")) as Record<string, number>;
  const { ["▁the"]: the = 0, ...others } = vocab;
  assert.ok(the > 0);
  for (const [changed, message] of [
    [{ ...others, other: the }, /vocab\.json beside .* has no id of the piece "▁the"; take both/],
    [others, /vocab\.json beside .* gives ".*" the id \d+, where ids are 0, 1, 2, …/],
    [{ ...vocab, ["▁the"]: 4 }, /gives ".*" the id 4, where ids are/],
  ] as const) {
    const folder = await edited("m2m-100", { "vocab.json": changed });
    const error: unknown = await readDescription(folder).catch((raised: unknown) => raised);
    assert.match(String(error), message);
  }
});

test("mBART's tokens of languages are behind the pieces of the file", async () => {
  for (const [name, count] of [
    ["mbart-50", 52],
    ["mbart", 25],
  ] as const) {
    const { languages } = (await golden(name)) as Golden & { languages: Record<string, number> };
    const own = await (await readDescription(join(fixtures, name))).tokenizer();
    assert.is(own.languages.size, count);
    for (const [language, id] of Object.entries(languages)) assert.is(own.languages.get(language), id, language);
  }
});

test("addresses stay as they are", async () => {
  // other ones make all artifacts of models without tokenizer.json unusable
  const expected = {
    gemma: "88a8a05154bd3e06e4938326a96bb1b6c256249fe693ae8f7950d2abcfa66624",
    llama: "bd57033d62e16c5e8f4c84f5442168c3fc9850291db2217037354672091ef325",
    qwen2: "582280f982b1d5e86288814b405198ebd9c9301a64af17dacf5f0abfa0de6d6d",
    xglm: "4280f0776060184e0d78d0d0c90d48fa8de293a953af89e0f1d3f50138502e9f",
  };
  for (const [name, address] of Object.entries(expected)) {
    assert.is((await readDescription(join(fixtures, name))).tokenizerAddress, address, name);
  }
});

test("a tokenizer.json counts where there is one", async () => {
  const { files } = await readDescription(join(fixtures, "gpt2"));
  const folder = await edited("llama", { "tokenizer.json": await files.text("tokenizer.json") });
  const tokenizer = await (await readDescription(folder)).tokenizer();
  const [line] = (await golden("gpt2")).lines;
  assert.equal([...tokenizer.encode(line?.text ?? "")], line?.ids);
});

test("tokens are added and named as transformers does", async () => {
  const folder = await edited("llama", {
    "tokenizer_config.json": {
      tokenizer_class: "LlamaTokenizer",
      pad_token: "<pad>",
      additional_special_tokens: ["<|im_end|>"],
      add_bos_token: false,
      add_eos_token: true,
    },
    "added_tokens.json": { "<|im_start|>": 500, " new word": 501 },
  });
  const description = await readDescription(folder);
  const tokenizer = await description.tokenizer();
  assert.equal([...tokenizer.encode("<|im_start|>")], [500]);
  assert.equal([...tokenizer.encode("x new word")].at(-1), 501);
  // without an id: after the largest, first those with a name
  assert.equal([...tokenizer.encode("<pad>")], [502]);
  assert.equal([...tokenizer.encode("<|im_end|>")], [503]);
  assert.is(tokenizer.decode([500, 502, 503]), "<|im_start|>", "only named tokens are special");
  assert.is(tokenizer.bos, undefined);
  assert.equal(makeHubTokenizer("", await parsed(description), {}).encode("").ids, [2]);
  assert.equal((await parsed(description, "tokenizer_config.json"))["bos_token"], "<s>");
});

test("added_tokens_decoder renames tokens of the vocabulary, and counts before special_tokens_map.json", async () => {
  const folder = await edited("llama", {
    "tokenizer_config.json": {
      tokenizer_class: "LlamaTokenizer",
      bos_token: "<begin>",
      added_tokens_decoder: {
        1: { content: "<begin>", special: true, normalized: false },
        500: { content: "<user>", rstrip: true },
      },
    },
  });
  const description = await readDescription(folder);
  const tokenizer = await description.tokenizer();
  assert.equal([...tokenizer.encode("<begin>")], [1]);
  assert.equal(tokenizer.prefix, { id: 1, text: "<begin>" });
  assert.equal([...tokenizer.encode("<user>   a")], [500, ...tokenizer.encode("a")]);
});

const tokensAroundSpecial = async (legacy: boolean): Promise<number[]> => {
  const folder = await edited("llama", { "tokenizer_config.json": { tokenizer_class: "LlamaTokenizer", legacy } });
  return [...(await (await readDescription(folder)).tokenizer()).encode("a</s>a")];
};

test("a space goes before every part of a text, or the first one alone with legacy: false", async () => {
  const old = await tokensAroundSpecial(true);
  const current = await tokensAroundSpecial(false);
  assert.equal(old, [...old.slice(0, old.indexOf(2)), 2, ...old.slice(0, old.indexOf(2))]);
  assert.equal(current.slice(0, current.indexOf(2)), old.slice(0, old.indexOf(2)));
  assert.not.equal(current, old);
});

test("GPT-2 with add_prefix_space puts one before texts", async () => {
  const folder = await edited("gpt2", {
    "tokenizer_config.json": { tokenizer_class: "GPT2TokenizerFast", add_prefix_space: true },
  });
  const [plain, prefixed] = [await readDescription(join(fixtures, "gpt2")), await readDescription(folder)];
  assert.equal([...(await prefixed.tokenizer()).encode("file")], [...(await plain.tokenizer()).encode(" file")]);
});

test("T5 has as many sentinels as its configuration says, 100 without one", async () => {
  assert.is((await (await readDescription(join(fixtures, "t5"))).tokenizer()).sentinels.length, 100);
  const few = await edited("t5", { "tokenizer_config.json": { extra_ids: 3 } });
  const { sentinels } = await (await readDescription(few)).tokenizer();
  assert.is(sentinels.length, 3);
  assert.is(sentinels[0], (sentinels[2] ?? 0) + 2, "the last one comes first");
});

test("merges are read of such a folder, with and without config.json", async () => {
  const bare = await edited("llama", { "config.json": null });
  const [list, same] = [await openMergeList(join(fixtures, "llama")), await openMergeList(bare)];
  assert.ok(list.merges.length > 100);
  assert.equal(same.merges, list.merges);
});

test("a GGUF file of such a tokenizer gives the same tokens", async () => {
  for (const name of ["llama", "gemma", "mt5", "gpt2", "qwen2"]) {
    const description = await readDescription(join(fixtures, name));
    const [tokenizer, config] = [await parsed(description), await parsed(description, "tokenizer_config.json")];
    const fields = tokenizerFields({ path: name, tokenizer, config, chatTemplate: undefined, settings: {}, rows: 700 });
    const metadata = new Map([...fields].map(([key, { value }]) => [key, value]));
    const made = tokenizerFromGguf(metadata, name);
    const again = makeTokenizer(name, made.tokenizer, made.config);
    for (const { text, ids } of (await golden(name)).lines) assert.equal([...again.encode(text)], ids, `${name} ${text}`);
  }
});

test("a GGUF file cannot say that BPE changes texts by a table, and is refused", async () => {
  const tokenizer = await parsed(await readDescription(join(fixtures, "bpe-table")));
  assert.throws(
    () => tokenizerFields({ path: "x", tokenizer, config: {}, chatTemplate: undefined, settings: {}, rows: 700 }),
    (error: unknown) =>
      error instanceof FailedPreconditionError &&
      error.message.startsWith("x: tokenizer.json changes texts by Precompiled before"),
  );
});

test("classes that are not read are refused by name, with the remedy", async () => {
  const cases: [string, Json, RegExp][] = [
    [
      "gpt2",
      { "tokenizer_config.json": { tokenizer_class: "RobertaTokenizer" } },
      /has a tokenizer of the class "RobertaTokenizer"; of .*vocab\.json are read: GPT2Tokenizer, Qwen2Tokenizer; /,
    ],
    [
      "llama",
      { "tokenizer_config.json": { tokenizer_class: "NllbTokenizer" } },
      /the class "NllbTokenizer"; of .*tokenizer\.model are read: LlamaTokenizer, .*XLMRobertaTokenizer, M2M100Tokenizer, MBart50Tokenizer, MBartTokenizer; /,
    ],
    [
      "llama",
      { "tokenizer_config.json": { tokenizer_class: "Qwen2Tokenizer" } },
      /the class "Qwen2Tokenizer"; of .*tokenizer\.model are read/,
    ],
    [
      "gpt2",
      { "tokenizer_config.json": {}, "config.json": { model_type: "bloom" } },
      /names no class of tokenizers, and the model type "bloom" has no usual one/,
    ],
  ];
  for (const [name, files, message] of cases) {
    const found = await refusal(await edited(name, files as Record<string, Json>), FailedPreconditionError);
    assert.match(found, message);
    assert.match(
      found,
      /; write a tokenizer\.json with transformers: AutoTokenizer\.from_pretrained\("\S+"\)\.save_pretrained\("\S+"\)$/,
    );
  }
});

const token = (content: unknown): Json => ({ added_tokens_decoder: { 7: { content } } });

test("files that are missing, broken or contradict each other are refused with the key", async () => {
  const cases: [string, Record<string, Json | string | null>, RegExp][] = [
    [
      "llama",
      { "tokenizer.model": null },
      /tokenizer\.json is missing, and there is neither tokenizer\.model, .*nor vocab\.json with merges\.txt/,
    ],
    ["gpt2", { "merges.txt": null }, /tokenizer\.json is missing/],
    ["gpt2", { "merges.txt": "#version: 0.2\na b\nab\n" }, /merges\.txt: line 3 is "ab", not two tokens/],
    ["gpt2", { "merges.txt": "q zz" }, /vocab\.json: model\.merges\[0\] needs the token "zz"/],
    ["gpt2", { "vocab.json": { a: 0, b: 0 } }, /vocab\.json gives "a" and "b" the id 0/],
    ["gpt2", { "vocab.json": { a: "0" } }, /vocab\.json: a is "0", not a whole number/],
    [
      "llama",
      { "tokenizer_config.json": token(5) },
      /tokenizer_config\.json: added_tokens_decoder\.7\.content is 5, not a string/,
    ],
    [
      "llama",
      { "tokenizer_config.json": token("</s>") },
      /tokenizer_config\.json: the JSON is "<\/s>", not a token of one id: it has 2 and 7/,
    ],
    [
      "llama",
      { "tokenizer_config.json": { added_tokens_decoder: { x: { content: "a" } } } },
      /added_tokens_decoder\.x is "x", not a whole number/,
    ],
    ["llama", { "tokenizer_config.json": { add_bos_token: "yes" } }, /add_bos_token is "yes", not true or false/],
    ["llama", { "special_tokens_map.json": { bos_token: 5 } }, /special_tokens_map\.json: bos_token is 5, not an object/],
    ["llama", { "added_tokens.json": { x: -1 } }, /added_tokens\.json: x is -1, not a whole number/],
    [
      "tiktoken",
      { "tokenizer.model": "IQ== 0\nIg== 2\n" },
      /tokenizer\.model: line 2 is "Ig== 2", not a token as base64 and its rank, 1/,
    ],
    ["tiktoken", { "tokenizer.model": "IQ== 0\nIQ== 1\n" }, /tokenizer\.model: the tokens are not all different/],
    ["tiktoken", { "tokenizer.model": "IQ== 0\n" }, /tokenizer\.model: the tokens do not have every byte among them/],
    ["tekken", { "tekken.json": {} }, /tekken\.json: config is missing, not an object/],
    [
      "tekken",
      {
        "tekken.json": {
          config: { pattern: "a", default_vocab_size: 9, default_num_special_tokens: 1 },
          vocab: [{ rank: 1, token_bytes: "AA==" }],
        },
      },
      /tekken\.json: vocab\[0\]\.rank is 1, not 0/,
    ],
    ["llama", { "tokenizer.model": "no such thing" }, /tokenizer\.model is cut short, or no model file of SentencePiece/],
    ["llama", { "tokenizer.model": "" }, /tokenizer\.model has no pieces/],
  ];
  for (const [name, files, message] of cases) {
    const found = await refusal(await edited(name, files), BadDataError);
    assert.match(found, message);
  }
});

test.run();
