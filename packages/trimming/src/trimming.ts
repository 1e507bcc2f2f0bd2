import { BadDataError, FailedPreconditionError, isObject } from "@mbs/contracts";
import {
  hasFile,
  makeTokenizer,
  parseJsonObject,
  readChatTemplates,
  requireDense,
  restrictVocabulary,
  tokenIds,
} from "@mbs/models";
import type { ArchitectureModel, JsonObject, Model, Tokenizer } from "@mbs/models";
import { createHash } from "node:crypto";
import { chooseTokens } from "./kept-tokens.ts";
import type { KeptTokens } from "./kept-tokens.ts";
import { addedIds, namedIds, namedTexts, sectionOf } from "./renumbered-json.ts";
import type { ReadJson } from "./renumbered-json.ts";
import { usedTokens } from "./token-use.ts";
import type { TokenUse } from "./token-use.ts";
import { readTokenizerParts } from "./tokenizer-parts.ts";
import { processorIds, trimmedTokenizer } from "./trimmed-tokenizer.ts";

/** Texts that callers put into chat templates as roles. */
const roles = ["user", "assistant", "system", "model", "tool", "developer"];

const tag = /\{%[\s\S]*?%\}|\{\{[\s\S]*?\}\}|\{#[\s\S]*?#\}/g;
const literal = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g;
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const unescaped = (text: string): string => text.replaceAll(/\\([\s\S])/g, (_, letter: string) => escapes[letter] ?? letter);

/**
 * The texts that a chat template may write of itself: what stands outside of its tags, the strings within them, and the names
 * of roles. Their tokens are kept, so that conversations begin as before.
 *
 * @param template in Jinja
 */
function templateTexts(template: string): readonly string[] {
  const tags = template.match(tag) ?? [];
  const strings = tags.flatMap((own) =>
    [...own.matchAll(literal)].map(([, single, double]) => unescaped(single ?? double ?? "")),
  );
  return [...new Set([...template.split(tag), ...strings, ...roles])].filter((text) => text !== "");
}

const tokenizerFile = "tokenizer.json";
/** Files whose keys name tokens by their ids. */
export const configurations = [
  "config.json",
  "generation_config.json",
  "tokenizer_config.json",
  "processor_config.json",
  "preprocessor_config.json",
  "video_preprocessor_config.json",
];

/** The added tokens once more, by their texts. */
export const addedTokensFile = "added_tokens.json";

/** A JSON file of a model; undefined where it has none. @throws {BadDataError} where it is broken */
export async function readJson({ files, path }: Model, name: string): Promise<ReadJson | undefined> {
  if (!(await hasFile(files, name))) return undefined;
  const [text, file] = [await files.text(name), `${path}/${name}`];
  return { file, text, json: parseJsonObject(new TextEncoder().encode(text), file, file) };
}

/** Ids of the tokens that configurations and the tokenizer name. */
async function namedTokens(model: ArchitectureModel, json: JsonObject): Promise<number[]> {
  const read = await Promise.all([...configurations, "special_tokens_map.json"].map((name) => readJson(model, name)));
  const whole = read.flatMap((file) => (file === undefined ? [] : [file.json]));
  const files = [...whole, ...(model.section === undefined ? [] : whole.map((file) => sectionOf(file, model.section)))];
  const added = await readJson(model, addedTokensFile);
  const ids = tokenIds(json);
  const { padding } = json;
  const padId = isObject(padding) ? padding["pad_id"] : undefined;
  return [
    ...files.flatMap(namedIds),
    ...(added === undefined ? [] : addedIds(added.json)),
    ...files.flatMap(namedTexts).flatMap((token) => ids.get(token) ?? []),
    ...processorIds(json["post_processor"]),
    ...(typeof padId === "number" ? [padId] : []),
  ];
}

/**
 * A model whose vocabulary can be trimmed.
 *
 * @throws {FailedPreconditionError} for a model that is trimmed or quantised already, or an ONNX model
 */
export async function requireTrimmable(model: Model): Promise<ArchitectureModel> {
  if (model.kind === "graph") {
    throw new FailedPreconditionError(
      `${model.path} is an ONNX model, whose vocabulary cannot be trimmed; trim the model that it was exported from, and write that as ONNX`,
      { model: model.path },
    );
  }
  await requireDense(model);
  if (model.trimming === undefined) return model;
  throw new FailedPreconditionError(`${model.path} is trimmed already; give the model that it was made from`, {
    model: model.path,
  });
}

/** A model with the tokenizer that its vocabulary can be trimmed by. */
export interface Trimmable {
  readonly model: ArchitectureModel;
  /** tokenizer.json, parsed. */
  readonly json: JsonObject;
  readonly tokenizer: Tokenizer;
}

/**
 * Reads the tokenizer of a model whose vocabulary is to be trimmed.
 *
 * @throws {FailedPreconditionError} where its kind does not allow it
 */
export async function openTrimmable(model: Model): Promise<Trimmable> {
  const dense = await requireTrimmable(model);
  const tokenizer = await model.tokenizer();
  const { json } = (await readJson(model, tokenizerFile)) ?? { json: {} };
  readTokenizerParts(json, `${model.path}/${tokenizerFile}`);
  return { model: dense, json, tokenizer };
}

/** Texts can be read only where all their tokens have rows. @throws {BadDataError} on a token without one */
function requireRows(used: ReadonlySet<number>, { model: { vocabularySize: rows }, json }: Trimmable, file: string): void {
  const id = [...used].find((token) => token >= rows);
  if (id === undefined) return;
  const token = [...tokenIds(json)].find(([, one]) => one === id)?.[0] ?? "";
  throw new BadDataError(
    `${file}: token ${JSON.stringify(token)}, which the texts use, has id ${id}, but the embedding has ${rows} rows; take tokenizer and weights from the same source`,
    { file, token, id, rows },
  );
}

/** A model as it is when its vocabulary has been trimmed. */
export interface Trimming {
  readonly kept: KeptTokens;
  /** The new tokenizer.json. */
  readonly tokenizerText: string;
  readonly tokenizer: Tokenizer;
  /** The model with the rows that are kept, and the new tokenizer. */
  readonly trimmed: ArchitectureModel;
}

/**
 * Trims a vocabulary to the tokens of some languages. Nothing is written.
 *
 * @param uses of the languages that are kept
 * @param multiple rows are filled up to a multiple of this
 * @throws {BadDataError} where the texts use a token that has no row in the embedding
 * @throws {FailedPreconditionError} for an encoder whose positions would be counted from another token
 */
export async function trimVocabulary(source: Trimmable, uses: readonly TokenUse[], multiple: number): Promise<Trimming> {
  const { model, json, tokenizer } = source;
  const file = `${model.path}/${tokenizerFile}`;
  const used = usedTokens(uses);
  requireRows(used, source, file);
  const template = [...(await readChatTemplates(model)).byName.values()]
    .flatMap(templateTexts)
    .flatMap((text) => [...tokenizer.encode(text)]);
  const kept = chooseTokens(readTokenizerParts(json, file), {
    texts: used,
    named: await namedTokens(model, json),
    template: new Set(template),
    rows: model.vocabularySize,
    multiple,
  });
  const { padding } = model.layout.encoder ?? {};
  if (padding !== undefined && kept.newId(padding) !== padding) {
    throw new FailedPreconditionError(
      `${model.path}: tokens before pad_token_id ${padding} would go, and positions are counted from it; a vocabulary with special tokens first can be trimmed`,
      { model: model.path },
    );
  }
  const trimmedJson = trimmedTokenizer(json, kept.newId);
  const tokenizerText = `${JSON.stringify(trimmedJson, undefined, 2)}\n`;
  const config = (await readJson(model, "tokenizer_config.json"))?.json ?? {};
  const trimmedTokens = makeTokenizer(file, trimmedJson, config);
  const trimmed = restrictVocabulary(model, {
    rows: kept.rows,
    tokenizerAddress: createHash("sha256").update(tokenizerText).digest("hex"),
    tokenizer: () => Promise.resolve(trimmedTokens),
  });
  return { kept, tokenizerText, tokenizer: trimmedTokens, trimmed };
}
