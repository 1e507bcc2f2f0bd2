import { at, InternalError } from "@mbs/contracts";
import type { GgufField, GgufTensor } from "@mbs/gguf";
import { quantisationTypeNamed } from "@mbs/gguf";
import { invertOrder } from "@mbs/numbers";
import { ggufTrimmingKey } from "../../config/trimming-record.ts";
import { parseJsonObject } from "../../folder/json-file.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import { readChatTemplates } from "../../chat/chat-templates.ts";
import { isCarried } from "../../checkpoint/tensor-names.ts";
import type { ArchitectureModel, Model } from "../../folder/model.ts";
import { renamed } from "../dense-tensor.ts";
import type { View } from "../dense-tensor.ts";
import type { GgufForm } from "../form/gguf-form.ts";
import { findGgufForm, requireGgufModel } from "../form/load-form.ts";
import { metadataOrder } from "../form/metadata-fields.ts";
import { ModelSettings } from "../form/model-settings.ts";
import { ggufTensorName, namesOfLayers, splitKind } from "../gguf-names.ts";
import { putPooling } from "../pooling-metadata.ts";
import { findWay, tokenizerFields } from "./tokenizer-fields.ts";

/** A tensor of a GGUF file that is to be written. */
export interface PlannedGgufTensor {
  /** As llama.cpp calls it: "blk.3.attn_q.weight". */
  readonly name: string;
  /** Rows before columns, as everywhere but in the file. */
  readonly shape: readonly number[];
  /** Its tensors in the checkpoint, one after the other: one, or those of each expert. */
  readonly sources: readonly string[];
  /** The row of the checkpoint's tensor that each row is; absent where it has them all, in their order. */
  readonly rows?: Int32Array;
  /** The same of columns. */
  readonly columns?: Int32Array;
  /** True where the checkpoint has its rows as columns. */
  readonly transposed?: boolean;
  /** What a value is stored as, where it is another. */
  readonly store?: (value: number) => number;
  /** The values of a tensor that the checkpoint does not have. */
  readonly values?: Float32Array;
}

/** A model as a GGUF file holds it, but for the types of its tensors. */
export interface GgufPlan {
  /** `general.architecture`. */
  readonly architecture: string;
  readonly metadata: ReadonlyMap<string, GgufField>;
  /** In the order in which they are written. */
  readonly tensors: readonly PlannedGgufTensor[];
  /** What the file does not say of the model, a line each. */
  readonly notes: readonly string[];
}

/** "blk.3.attn_q.weight" → "blk.{block}.attn_q" */
const keyOf = (name: string): string => splitKind(name).stem.replace(/^blk\.\d+\./, "blk.{block}.");

/** The block of a tensor, for the order of the file: those of no block come first, the last norm and the head last. */
function placeOf(name: string): number {
  const block = /^blk\.(\d+)\./.exec(name)?.[1];
  if (block !== undefined) return Number(block);
  return name.startsWith("output") ? Infinity : -1;
}

/** What the view of a tensor says, seen from the file. @param own shape in the checkpoint */
function inverse(
  name: string,
  own: readonly number[],
  views: Readonly<Record<string, View>>,
): Pick<PlannedGgufTensor, "shape" | "rows" | "columns" | "transposed" | "store"> {
  const key = keyOf(name);
  const view = (Object.hasOwn(views, key) ? views[key] : undefined) ?? renamed;
  const source: GgufTensor = { name, type: quantisationTypeNamed("F32"), shape: own, begin: 0, end: 0 };
  const { shape: stored, rowOf, firstRow, columnOf, values, transposed } = at(view(source, name), 0);
  if (firstRow > 0) return { shape: stored, rows: Int32Array.from({ length: at(stored, 0) }, (_, row) => firstRow + row) };
  return {
    shape: stored,
    ...(rowOf !== undefined && { rows: invertOrder(Int32Array.from({ length: at(own, 0) }, (_, row) => rowOf(row))) }),
    ...(columnOf !== undefined && { columns: invertOrder(columnOf) }),
    ...(transposed !== undefined && { transposed }),
    ...(values !== undefined && { store: values.store }),
  };
}

/**
 * The order in which a GGUF file has the columns of a model's tensors: place → column, for a tensor whose columns are in another
 * order than in the checkpoint; undefined for all others.
 */
export async function ggufColumns(model: Model): Promise<(tensor: string) => Int32Array | undefined> {
  if (model.kind !== "architecture") return () => undefined;
  const { form } = (await findGgufForm(model.architecture)) ?? {};
  if (form?.views === undefined) return () => undefined;
  const { tensors, views } = { tensors: form.tensors, views: form.views(model.settings) };
  return (tensor) => {
    const named = ggufTensorName(tensors, tensor, model.layout.prefixes);
    return named && inverse(named.name, model.checkpoint.info(tensor).shape, views).columns;
  };
}

/** The tensors of a checkpoint as the file has them. */
function planTensors(
  { layout, checkpoint, settings }: ArchitectureModel,
  form: GgufForm,
  listed: ReadonlySet<string>,
): PlannedGgufTensor[] {
  const { tensors: names, leftOut = [] } = form;
  const isLeftOut = (tensor: string): boolean =>
    leftOut.some((own) => ["", ...layout.prefixes].some((prefix) => splitKind(tensor).stem === `${prefix}${own}`));
  const views = form.views?.(settings) ?? {};
  const found = new Map<string, string[]>();
  for (const { name: tensor } of layout.tensors) {
    const named = ggufTensorName(names, tensor, layout.prefixes);
    const isTiedHead = named?.name === "output.weight" && layout.head === layout.embedding;
    if (!checkpoint.has(tensor) || isTiedHead || listed.has(tensor) || isLeftOut(tensor)) continue;
    if (named === undefined) throw new InternalError(`GGUF: no name for ${tensor}`, { tensor });
    const sources = found.get(named.name) ?? [];
    sources[named.place] = tensor;
    found.set(named.name, sources);
  }
  const tensors = [...found].map(([name, sources]): PlannedGgufTensor => {
    const own = checkpoint.info(at(sources, 0)).shape;
    const { shape, ...rest } = inverse(name, own, views);
    const inModel = names.get(keyOf(name)) ?? "";
    if (!inModel.includes("{expert}")) return { name, shape, sources, ...rest };
    const [rows = 1, ...columns] = shape;
    const layers = namesOfLayers(inModel).length;
    return { name, shape: [sources.length / layers, layers * rows, ...columns], sources, ...rest };
  });
  return tensors.sort((a, b) => placeOf(a.name) - placeOf(b.name) || (a.name < b.name ? -1 : 1));
}

/** The tensors that the file has as lists in its metadata, and these lists. */
async function readLists(
  { layout, checkpoint }: ArchitectureModel,
  { lists = new Map() }: GgufForm,
): Promise<{ readonly listed: ReadonlySet<string>; readonly fields: readonly [string, GgufField][] }> {
  const names = new Set(layout.tensors.map(({ name }) => name));
  const listed = new Set<string>();
  const fields: [string, GgufField][] = [];
  for (const [key, { name }] of lists) {
    const value: number[] = [];
    for (const block of layout.blocks.keys()) {
      const bare = name.replace("{block}", String(block));
      const tensor = ["", ...layout.prefixes].map((prefix) => `${prefix}${bare}`).find((full) => names.has(full));
      if (tensor === undefined) throw new InternalError(`GGUF: the model has no ${bare}`, { tensor: bare });
      listed.add(tensor);
      value.push(at(await checkpoint.readF32(tensor), 0));
    }
    fields.push([key, { type: "array", of: "f32", value }]);
  }
  return { listed, fields };
}

/** The architecture's own metadata in the order of the file. */
function ordered({ architecture, fields }: ModelSettings, { firstMetadata = [] }: GgufForm): readonly [string, GgufField][] {
  const order = [...firstMetadata, ...metadataOrder];
  const placeOf = (key: string): number => {
    const place = order.indexOf(key.slice(architecture.length + 1));
    return place < 0 ? order.length : place;
  };
  return [...fields].sort(([a], [b]) => placeOf(a) - placeOf(b));
}

/** A file of a model's folder; empty where there is none. */
async function jsonOf({ files, path }: ArchitectureModel, name: string): Promise<JsonObject> {
  if (!(await files.list()).includes(name)) return {};
  return parseJsonObject(Buffer.from(await files.text(name)), `${path}/${name}`, name);
}

/**
 * The fields of the tokenizer that was asked for last, by all that they are made of: of a large vocabulary they take seconds, and
 * a plan opens its model several times.
 */
let lastTokenizer: { readonly key: string; readonly fields: ReadonlyMap<string, GgufField> } | undefined;

async function readTokenizer(model: ArchitectureModel): Promise<ReadonlyMap<string, GgufField>> {
  const { path, settings, vocabularySize: rows, tokenizerAddress } = model;
  const config = await jsonOf(model, "tokenizer_config.json");
  const chatTemplate = (await readChatTemplates(model)).byName.get("default");
  const key = JSON.stringify([tokenizerAddress, config, chatTemplate, settings, rows]);
  if (lastTokenizer?.key !== key) {
    const tokenizer = await jsonOf(model, "tokenizer.json");
    lastTokenizer = { key, fields: tokenizerFields({ path, tokenizer, config, chatTemplate, settings, rows }) };
  }
  return lastTokenizer.fields;
}

/** What stands beside the language model is not in the file. */
function besideNote({ layout, checkpoint, section }: ArchitectureModel): readonly string[] {
  const tensors = checkpoint.list().map(({ name }) => name);
  const found = (layout.carried ?? []).filter((module) =>
    tensors.some((name) => isCarried({ ...layout, carried: [module] }, name)),
  );
  if (found.length === 0) return [];
  const alone = `the file has the language model alone, without ${found.join(" and ")}`;
  return [
    section === undefined
      ? alone
      : `${alone}: for images llama.cpp reads an mmproj file beside it, which its convert_hf_to_gguf.py --mmproj makes of the source`,
  ];
}

async function writeSettings(model: ArchitectureModel) {
  requireGgufModel(model);
  const found = await findGgufForm(model.architecture);
  if (found === undefined) throw new InternalError(`GGUF: no form of ${model.architecture}`);
  const { architecture, form } = found;
  const settings = new ModelSettings(model.path, model.settings, architecture);
  for (const { write } of form.fields) write?.(settings);
  if (form.pools === true) await putPooling(model, settings);
  return { architecture, form, settings };
}

/** Addresses of tokenizers whose way of taking texts apart a file can say. */
const checkedTokenizers = new Set<string>();

/**
 * Checks that a file can say what a model is and how it takes texts apart; neither its tokens nor its tensors are looked at.
 *
 * @throws as {@link planGguf}
 */
export async function checkGguf(model: ArchitectureModel): Promise<void> {
  await writeSettings(model);
  const { path, tokenizerAddress } = model;
  if (checkedTokenizers.has(tokenizerAddress)) return;
  findWay({ path, tokenizer: await jsonOf(model, "tokenizer.json") });
  checkedTokenizers.add(tokenizerAddress);
}

/**
 * A model's tensors as a GGUF file has them, with the metadata of its architecture: a plan without the tokenizer, which takes
 * seconds where its vocabulary is large.
 *
 * @throws as {@link planGguf}, but for what it says of tokenizers
 */
export async function planGgufTensors(model: ArchitectureModel): Promise<GgufPlan> {
  const { architecture, form, settings } = await writeSettings(model);
  const { listed, fields } = await readLists(model, form);
  const vectors = [...settings.vectors].map(([name, values]): PlannedGgufTensor => ({
    name,
    shape: [values.length],
    sources: [],
    values,
  }));
  return {
    architecture,
    metadata: new Map<string, GgufField>([...ordered(settings, form), ...fields]),
    tensors: [...vectors, ...planTensors(model, form, listed)],
    notes: [...settings.notes, ...besideNote(model)],
  };
}

/** Plans of open models: sizes of many type mixes are asked for. One of fewer rows, or with a head of its own, has its own layout. */
const plans = new WeakMap<ArchitectureModel["layout"], Promise<GgufPlan>>();

async function withTokenizer(model: ArchitectureModel): Promise<GgufPlan> {
  const plan = await planGgufTensors(model);
  return { ...plan, metadata: new Map([...plan.metadata, ...(await readTokenizer(model))]) };
}

/**
 * A model's metadata and tensors as a GGUF file has them: the inverse of `openGguf`.
 *
 * @param general further metadata by their names after "general.": "name", "license"
 * @throws {FailedPreconditionError} where llama.cpp does not have the model type, or has it without what this model does, or its
 * tokenizer
 */
export async function planGguf(model: ArchitectureModel, general: ReadonlyMap<string, GgufField>): Promise<GgufPlan> {
  const planned = plans.get(model.layout) ?? withTokenizer(model);
  plans.set(model.layout, planned);
  const plan = await planned;
  return {
    ...plan,
    metadata: new Map<string, GgufField>([
      ["general.architecture", { type: "string", value: plan.architecture }],
      ["general.type", { type: "string", value: "model" }],
      ...[...general].map(([name, field]) => [`general.${name}`, field] as const),
      ...plan.metadata,
      ...(model.trimming === undefined
        ? []
        : [[ggufTrimmingKey, { type: "string", value: JSON.stringify(model.trimming) }] as const]),
    ]),
  };
}
