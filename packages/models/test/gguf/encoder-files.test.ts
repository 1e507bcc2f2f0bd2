import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkGguf, openModel, planGguf } from "../../src/index.ts";
import type { GgufPlan } from "../../src/index.ts";
import { contentOf, ggufBytes } from "./gguf-bytes.ts";
import type { TestFile, TypedValue } from "./gguf-bytes.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const root = await mkdtemp(join(tmpdir(), "gguf-encoders-"));
test.after(() => rm(root, { recursive: true }));

async function planOf(path: string): Promise<GgufPlan> {
  const model = await openModel(path);
  if (model.kind !== "architecture") throw new Error(`${path} is a graph`);
  return planGguf(model, new Map()).finally(() => model.close());
}

test("an XLM-R's file has no position of padding, and no pooler", async () => {
  const { architecture, metadata, tensors, notes } = await planOf(fixture("encoders/xlm-roberta-f32"));
  assert.is(architecture, "bert");
  assert.equal(notes, []);
  const valueOf = (key: string): unknown => metadata.get(key)?.value;
  // 320 positions, of which the first two are for padding
  assert.is(valueOf("bert.context_length"), 318);
  assert.is(valueOf("bert.attention.causal"), false);
  assert.is(valueOf("bert.pooling_type"), 1);
  assert.is(valueOf("tokenizer.ggml.token_type_count"), 1);
  const positions = tensors.find(({ name }) => name === "position_embd.weight");
  assert.equal(positions?.shape, [318, 32]);
  assert.equal([...(positions?.rows ?? [])].slice(0, 3), [2, 3, 4]);
  assert.not.ok(tensors.some(({ sources }) => sources.some((source) => source.includes("pooler"))));
});

test("a BERT's file has all positions", async () => {
  const { metadata, tensors } = await planOf(fixture("encoders/bert-f32"));
  assert.is(metadata.get("bert.context_length")?.value, 320);
  assert.is(tensors.find(({ name }) => name === "position_embd.weight")?.rows, undefined);
  assert.is(metadata.get("tokenizer.ggml.token_type_count")?.value, 2);
});

/** A copy of a tiny model with other files in it. */
async function changed(name: string, files: Readonly<Record<string, (old: Record<string, unknown>) => object>>): Promise<string> {
  const folder = await mkdtemp(join(root, "changed-"));
  await cp(fixture(`encoders/${name}`), folder, { recursive: true });
  for (const [file, change] of Object.entries(files)) {
    const path = join(folder, file);
    await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>)));
  }
  return folder;
}

const refused: readonly [string, Parameters<typeof changed>[1], RegExp][] = [
  [
    "another activation",
    { "config.json": (old) => ({ ...old, hidden_act: "gelu_new" }) },
    /hidden_act of config\.json: the activation is "gelu_new", which GGUF files of architecture bert cannot say/,
  ],
  ["another pooling", { "1_Pooling/config.json": () => ({ pooling_mode_max_tokens: true }) }, /asks for pooling_mode_max_tokens/],
];
for (const [what, files, message] of refused) {
  test(`${what} is refused before anything is planned`, async () => {
    const model = await openModel(await changed("xlm-roberta-f32", files));
    if (model.kind !== "architecture") throw new Error("an encoder is no graph");
    const error: unknown = await checkGguf(model).catch((raised: unknown) => raised);
    await model.close();
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), message);
  });
}

const trims = async (folder: string): Promise<unknown> =>
  (await planOf(folder)).metadata.get("tokenizer.ggml.remove_extra_whitespaces")?.value;

test("a tokenizer that splits texts at spaces leaves none but one between words", async () => {
  const split = { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Metaspace", replacement: "▁" }] };
  const path = await changed("xlm-roberta-f32", { "tokenizer.json": (old) => ({ ...old, pre_tokenizer: split }) });
  assert.is(await trims(path), true);
  assert.is(await trims(fixture("encoders/xlm-roberta-f32")), false);
});

test("a tokenizer of words is refused", async () => {
  const path = await changed("xlm-roberta-f32", {});
  const words = { type: "WordPiece", vocab: { "[UNK]": 0 }, unk_token: "[UNK]" };
  const file = join(path, "tokenizer.json");
  await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, "utf8")) as object), model: words }));
  assert.match(String(await planOf(path).catch((raised: unknown) => raised)), /has a model of type "WordPiece"/);
});

const converted = fixture("gguf/models/xlm-roberta.gguf");

/** The converter's file with other metadata. */
async function withMetadata(change: Readonly<Record<string, TypedValue | undefined>>, edit = (file: TestFile): TestFile => file) {
  const { metadata, tensors } = await contentOf(converted);
  const kept = [...metadata].filter(([key]) => !(key in change));
  const added = Object.entries(change).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  const path = join(await mkdtemp(join(root, "file-")), "model.gguf");
  await writeFile(path, ggufBytes(edit({ metadata: [...kept, ...added], tensors })));
  return path;
}

/** A file as a folder: its `1_Pooling/config.json`, and whether it has a modules.json. */
async function poolingFilesOf(path: string): Promise<unknown> {
  const model = await openModel(path);
  const names = await model.files.list();
  const text = names.includes("1_Pooling/config.json") ? await model.files.text("1_Pooling/config.json") : "{}";
  await model.close();
  return { ...(JSON.parse(text) as object), modules: names.includes("modules.json") };
}

test("a file's pooling is that of a folder, and none where the program decides", async () => {
  assert.equal(await poolingFilesOf(converted), {
    word_embedding_dimension: 16,
    pooling_mode_mean_tokens: false,
    pooling_mode_cls_token: true,
    modules: true,
  });
  for (const path of [
    await withMetadata({ "bert.pooling_type": undefined }),
    await withMetadata({ "bert.pooling_type": { u32: 0 } }),
  ])
    assert.equal(await poolingFilesOf(path), { modules: false });
});

const unreadable: readonly [Readonly<Record<string, TypedValue | undefined>>, RegExp][] = [
  [{ "bert.pooling_type": { u32: 3 } }, /bert\.pooling_type 3 is not supported; supported: 1 \(mean\), 2 \(first token\)/],
  [{ "bert.attention.causal": { bool: true } }, /bert\.attention\.causal true is not supported; only false is/],
  [{ "bert.attention.causal": undefined }, /bert\.attention\.causal absent is not supported; only false is/],
  [
    { "tokenizer.ggml.token_type_count": { u32: 2 } },
    /token_types\.weight has shape \[1, 16\] where the metadata ask for \[2, 16\]/,
  ],
  [{ "tokenizer.ggml.model": { string: "bert" } }, /a tokenizer of the kind "bert"; supported:/],
];
for (const [change, message] of unreadable) {
  test(`${JSON.stringify(change)} is refused`, async () => {
    const path = await withMetadata(change);
    const error: unknown = await openModel(path)
      .then(
        async (model) => model.tokenizer().finally(() => model.close()),
        (raised: unknown) => raised,
      )
      .catch((raised: unknown) => raised);
    assert.match(String(error), message);
  });
}

test("a type of tokens that is stored as a vector is the one row of its table", async () => {
  const path = await withMetadata({}, ({ metadata, tensors }) => ({
    metadata,
    tensors: (tensors ?? []).map((tensor) =>
      tensor.name === "token_types.weight" ? { ...tensor, shape: tensor.shape.filter((side) => side !== 1) } : tensor,
    ),
  }));
  const [model, whole] = await Promise.all([openModel(path), openModel(converted)]);
  const name = "embeddings.token_type_embeddings.weight";
  assert.equal(model.checkpoint.info(name).shape, [1, 16]);
  assert.equal(await model.checkpoint.readF32(name), await whole.checkpoint.readF32(name));
  await model.close();
  await whole.close();
});

test.run();
