import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseJsonObject } from "@mbs/models";
import { openTasks } from "@mbs/tasks";
import type { TaskRow } from "@mbs/tasks";
import { parse, stringify } from "yaml";
import { readArchitecture } from "../../../packages/models/src/architectures/read-architecture.ts";
import { openWeightFiles } from "../../../packages/models/src/checkpoint/weight-files.ts";
import { readRotation } from "../../../packages/models/src/config/rotation-record.ts";
import { readTrimming } from "../../../packages/models/src/config/trimming-record.ts";
import { convertMerges } from "../../../packages/models/src/tokenizer/conversion/convert-merges.ts";
import { convertPieces } from "../../../packages/models/src/tokenizer/conversion/convert-pieces.ts";
import { convertTekken, convertTiktoken } from "../../../packages/models/src/tokenizer/conversion/convert-ranks.ts";
import type { ConvertedTokenizer } from "../../../packages/models/src/tokenizer/conversion/converted-tokenizer.ts";
import { requireTokenizerConfig } from "../../../packages/models/src/tokenizer/tokenizer-shape.ts";
import { makeTokenizer } from "../../../packages/models/src/tokenizer/tokenizer.ts";
import { parseRecipe } from "../../../packages/pipeline/src/recipe/parse-recipe.ts";
import { demand, demandSame, fixture, fixtureBytes, toBytes, toText } from "./input.ts";
import type { Input, Reader } from "./input.ts";
import { isSize, requireTokens } from "./model-inputs.ts";

const texts = ["The folder, 12 of a b\n", "नमस्ते x", "<s> is </s>", "naïve 👩 ☃"];

const tokenizerFolders = {
  "byte-level": "forward/llama-grouped-f32",
  "byte-fallback": "tokenizers/byte-fallback",
  unigram: "tokenizers/unigram",
  chat: "chat/alternating",
};

const models = "models/test/fixtures";

/** Files of a folder without tokenizer.json. @param read what makes a tokenizer.json of the file */
function converted(
  folder: string,
  name: string,
  form: Input["form"],
  read: (
    bytes: Uint8Array,
    given: { file: string; config: Readonly<Record<string, unknown>>; model: object },
  ) => ConvertedTokenizer,
): Input {
  const path = (file: string): string => `${models}/tokenizer-files/${folder}/${file}`;
  const has = new Set(readdirSync(fixture(`${models}/tokenizer-files/${folder}`)));
  const json = (file: string) => (has.has(file) ? parseJsonObject(fixtureBytes(path(file)), file, file) : {});
  const given = { file: name, config: json("tokenizer_config.json"), model: json("config.json") };
  return {
    name: `${folder} ${name}`,
    bytes: fixtureBytes(path(name)),
    form,
    read(bytes) {
      const { tokenizer, config } = read(bytes, given);
      requireTokens(makeTokenizer(name, tokenizer, config), texts);
    },
  };
}

const filesOf = (config: Readonly<Record<string, unknown>>) => ({ folder: "folder", config, map: {}, added: {} });

const mergedTokenizer = (words: Uint8Array, pairs: Uint8Array, config: Readonly<Record<string, unknown>>, model: object) =>
  convertMerges(
    { value: parseJsonObject(words, "vocab.json", "vocab.json"), file: "vocab.json" },
    { text: toText(pairs), file: "merges.txt" },
    filesOf(config),
    { ...model },
  );

/** tokenizer.json of each kind, and the files of which one is made. */
export const tokenizer: Reader = async () => {
  const own = Object.entries(tokenizerFolders).flatMap(([name, folder]): Input[] => {
    const bytes = fixtureBytes(`${models}/${folder}/tokenizer.json`);
    const json = parseJsonObject(bytes, name, name);
    const make = (given: Uint8Array): void => requireTokens(makeTokenizer(name, parseJsonObject(given, name, name), {}), texts);
    const config = toBytes({ bos_token: "<s>", eos_token: { content: "</s>", special: true }, add_bos_token: true });
    const configured = (given: Uint8Array): void => {
      const value = parseJsonObject(given, name, name);
      requireTokenizerConfig(value, name);
      requireTokens(makeTokenizer(name, json, value), texts);
    };
    return [
      { name, bytes, form: "text", read: make },
      { name: `${name} config`, bytes: config, form: "json", read: configured },
    ];
  });
  const pieces = (["llama", "t5", "gemma", "bpe-table"] as const).map((folder) =>
    converted(folder, folder === "t5" ? "spiece.model" : "tokenizer.model", "bytes", (bytes, { file, config, model }) =>
      convertPieces(bytes, file, filesOf(config), { ...model }, {}),
    ),
  );
  const merges = fixtureBytes(`${models}/tokenizer-files/gpt2/merges.txt`);
  const vocab = fixtureBytes(`${models}/tokenizer-files/gpt2/vocab.json`);
  return [
    ...own,
    ...pieces,
    converted("tiktoken", "tokenizer.model", "bytes", (bytes, { file, config, model }) =>
      convertTiktoken(toText(bytes), file, filesOf(config), { ...model }),
    ),
    converted("tekken", "tekken.json", "text", (bytes, { file, config }) =>
      convertTekken(parseJsonObject(bytes, file, file), file, filesOf(config)),
    ),
    converted("gpt2", "vocab.json", "text", (bytes, { config, model }) => mergedTokenizer(bytes, merges, config, model)),
    converted("gpt2", "merges.txt", "bytes", (bytes, { config, model }) => mergedTokenizer(vocab, bytes, config, model)),
  ];
};

/** Model types whose configurations differ most. */
const configured =
  "llama-llama3-sharded-bf16 gemma3-softcap-untied-f16 qwen3-tied-f16 gpt2-base-untied-f16 plain-f32 mixtral-window-f16 phi3-longrope-long-f16 t5-untied-f16 m2m-100-f32 qwen3-5-f32 gpt-oss-mxfp4-bf16 gemma4-keys-are-values-bf16 lfm2-bias-untied-bf16 mistral3-mistral-untied-bf16 cohere2-sliding-f32".split(
    " ",
  );

/** No number of what was read of a configuration is NaN or infinite, but for keys that its notes name as not read. */
function requireFinite(value: unknown, path: string, notes: string): void {
  if (typeof value === "number") demand(Number.isFinite(value) || notes.includes(path), `${path} is ${value}`);
  else if (typeof value === "object" && value !== null)
    for (const [key, each] of Object.entries(value)) requireFinite(each, path === "" ? key : `${path}.${key}`, notes);
}

/** config.json beside the weights that it was written for. */
export const config: Reader = async () =>
  Promise.all(
    configured.map(async (name): Promise<Input> => {
      const folder = fixture(`${models}/forward/${name}`);
      const files = await openWeightFiles(folder);
      const file = join(folder, "config.json");
      return {
        name,
        bytes: readFileSync(file),
        form: "text",
        async read(bytes) {
          const given = parseJsonObject(bytes, file, file);
          const { layout, settings, notes } = await readArchitecture(files, given, { folder, file }, { allowNonfinite: false });
          readRotation(given, file);
          readTrimming(given, file, layout.vocabularySize);
          requireFinite(settings, "", notes.join("\n"));
          for (const size of [layout.hiddenSize, layout.vocabularySize]) demand(isSize(size), `a size is ${size}`);
          for (const { sites } of layout.blocks)
            for (const { width, weights } of sites)
              demand(isSize(width) && weights.every(({ rows }) => isSize(rows)), "a site has no width or no rows");
        },
      };
    }),
  );

/** A YAML file byte by byte, and its content as JSON, which is YAML too. */
const yamlInputs = (name: string, text: string, read: Input["read"]): readonly Input[] => [
  { name, bytes: toBytes(text), form: "bytes", read },
  { name: `${name} as JSON`, bytes: toBytes(parse(text, { logLevel: "silent" }) as unknown), form: "json", read },
];

const recipes = resolve(import.meta.dirname, "../../../recipes");

/** A recipe that names all that recipes have. */
const wideRecipe = {
  model: "m",
  trim: { keep: "en" },
  rotate: { seed: 1 },
  corpus: "c",
  sample: { mix: "equal", segments: 4, length: 8, seed: 1 },
  propagation: "sequential",
  shards: 2,
  capture: { "normalise-tokens": false },
  factor: { damping: 0.01 },
  allocate: { method: "owl" },
  compress: { solver: "wanda", sparsity: 0.5 },
  assemble: { format: "gptq" },
  evaluate: { corpus: "h", length: 8 },
  beside: { other: "n" },
  gate: { "max-kl": 1 },
  stages: { own: { stage: "./own.js", inputs: { layers: "layers" }, options: { x: 1 } } },
  similarity: true,
  keep: true,
  output: "out",
};

/** What is read of a recipe is the same when it is written and read again. */
function readRecipe(bytes: Uint8Array): void {
  const text = toText(bytes);
  const { locate: _locate, ...found } = parseRecipe(text, "recipe.yaml");
  const again = stringify(parse(text, { logLevel: "silent" }) as unknown, { aliasDuplicateObjects: false });
  const { locate: _second, ...same } = parseRecipe(again, "recipe.yaml");
  demandSame(same, found, "a recipe, written and read again");
}

export const recipe: Reader = async () => {
  const files = readdirSync(recipes).filter((name) => name.endsWith(".yaml"));
  return [
    ...files.flatMap((name) => yamlInputs(name, readFileSync(join(recipes, name), "utf8"), readRecipe)),
    ...yamlInputs("all keys", stringify(wideRecipe), readRecipe),
  ];
};

type Rows = Readonly<Record<string, Readonly<Record<string, readonly TaskRow[]>>>>;

/** A value of the object's own: a mutation may ask for "toString". */
const own = <T>(from: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(from, key) ? from[key] : undefined;

/** Task files, with the prompts that they make of some rows. */
export const task: Reader = async (folder) => {
  const { rows } = JSON.parse(readFileSync(fixture("tasks/test/fixtures/prompts.json"), "utf8")) as { rows: Rows };
  const source = fixture("tasks/test/fixtures/tasks");
  /** A folder with some files of the fixtures, in which the file that changes stands beside them. */
  const readIn = (name: string, beside: readonly string[], asked = "*") => {
    const tasks = join(folder, name);
    mkdirSync(tasks);
    for (const file of beside) writeFileSync(join(tasks, file), readFileSync(join(source, "quiz", file)));
    return async (bytes: Uint8Array): Promise<void> => {
      writeFileSync(join(tasks, "task.yaml"), bytes);
      for (const each of (await openTasks([asked], { paths: [tasks] })).tasks) {
        const rowsOf = (path: string, split: string): readonly TaskRow[] => own(own(rows, path) ?? {}, split) ?? [];
        const documents = await each.documents(async ({ path, split }) => rowsOf(path, split).slice(0, 4), 2);
        for (const document of documents) {
          if (document.kind === "generation") demand(each.judge(document, "The answer is 42.") <= 1, "a judgement above 1");
          else demand(document.choices.length > 1, "a document with one choice");
        }
      }
    };
  };
  const alone = readIn("alone", []);
  const including = readIn("including", ["_shared_yaml", "quiz_hi.yaml"]);
  const group = readIn("group", ["_shared_yaml", "quiz_hi.yaml", "quiz_zh.yaml"], "quiz");
  const names = readdirSync(source).filter((name) => name.endsWith(".yaml"));
  const inputsOf = (name: string, read: Input["read"]) => yamlInputs(name, readFileSync(join(source, name), "utf8"), read);
  return [
    ...names.flatMap((name) => inputsOf(name, alone)),
    ...inputsOf("quiz/quiz_zh.yaml", including),
    ...inputsOf("quiz/_group.yaml", group),
  ];
};
