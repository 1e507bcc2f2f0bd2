import { createHash } from "node:crypto";
import { isObject } from "@mbs/contracts";
import { parseJsonObject } from "../folder/json-file.ts";
import type { JsonObject } from "../folder/json-file.ts";
import type { Model } from "../folder/model.ts";
import { hasFile } from "../writing/carried-files.ts";

/** The chat templates of a model, and what they may name. */
export interface ChatTemplates {
  /** In Jinja, by name: "default", "tool_use". */
  readonly byName: ReadonlyMap<string, string>;
  /** Texts of special tokens by their names in tokenizer_config.json: "bos_token" → "<s>". */
  readonly tokens: Readonly<Record<string, string>>;
}

type DescribedModel = Pick<Model, "path" | "files">;

/** A JSON file of a model; empty where it has none. @throws {BadDataError} where it is broken */
async function readJson({ files, path }: DescribedModel, name: string): Promise<JsonObject> {
  if (!(await hasFile(files, name))) return {};
  const file = `${path}/${name}`;
  return parseJsonObject(new TextEncoder().encode(await files.text(name)), file, file);
}

/** The templates of a value of `chat_template`: one, or several with names. */
function templatesOf(value: unknown): (readonly [string, string])[] {
  if (typeof value === "string") return [["default", value]];
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: unknown) => {
    if (!isObject(one)) return [];
    const { name, template } = one;
    return typeof name === "string" && typeof template === "string" ? [[name, template] as const] : [];
  });
}

/** Special tokens by their names: given by their text, or as an object with it. */
function tokensOf(config: JsonObject): (readonly [string, string])[] {
  return Object.entries(config).flatMap(([name, token]) => {
    const text = isObject(token) ? token["content"] : token;
    return name.endsWith("_token") && typeof text === "string" ? [[name, text] as const] : [];
  });
}

/**
 * The chat templates of a model; none in a base model. As in transformers chat_template.jinja counts before those of
 * tokenizer_config.json; chat_template.json, which processors of images have, comes last.
 *
 * @throws {BadDataError} where a JSON file is broken
 */
export async function readChatTemplates(model: DescribedModel): Promise<ChatTemplates> {
  const config = await readJson(model, "tokenizer_config.json");
  const jinja = "chat_template.jinja";
  const sources = [
    (await hasFile(model.files, jinja)) ? await model.files.text(jinja) : undefined,
    config["chat_template"],
    (await readJson(model, "chat_template.json"))["chat_template"],
  ];
  const found = sources.map(templatesOf).find(({ length }) => length > 0) ?? [];
  const tokens = [...tokensOf(await readJson(model, "special_tokens_map.json")), ...tokensOf(config)];
  return { byName: new Map(found), tokens: Object.fromEntries(tokens) };
}

/** SHA-256 of the chat templates and what they name: the same gives the same texts of conversations. "" where there are none. */
export async function chatAddress(model: DescribedModel): Promise<string> {
  const { byName, tokens } = await readChatTemplates(model);
  if (byName.size === 0) return "";
  return createHash("sha256")
    .update(JSON.stringify([[...byName], tokens]))
    .digest("hex");
}
