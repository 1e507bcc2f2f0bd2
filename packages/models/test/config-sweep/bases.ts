import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { loadArchitecture } from "../../src/architectures/architectures.ts";
import type { ExpectedTensor, Layout } from "../../src/architectures/layout.ts";
import { wholeShape } from "../../src/checkpoint/woven-tensors.ts";
import type { TensorFile } from "../../src/checkpoint/checkpoint.ts";
import type { JsonObject } from "../../src/folder/json-file.ts";
import { weightOf } from "./weights.ts";

/** Keys to set, or the name of a key to leave out. */
export type Edit = JsonObject | string;
/** Perplexity, or why there is none: see tools/config-sweep/make_golden.py. */
export type Verdict = number | "raises" | "random" | "nan";

/** A tiny model, and what transformers makes of it and of edits of its configuration. */
export interface SweepBase {
  readonly config: JsonObject & { readonly model_type: string };
  /** Tokens of the text; default 24. */
  readonly length?: number;
  /** Tokens of the source, of an encoder-decoder. */
  readonly source?: number;
  /** Whether the file has a head although the configuration ties it. */
  readonly head?: boolean;
  /** Whether experts are stored joined. */
  readonly fused?: boolean;
  /** Whether it is an encoder. */
  readonly encoder?: boolean;
  /** SHA-256 of names and shapes of the tensors. */
  readonly tensors: string;
  readonly perplexity: number;
  readonly cases: readonly (readonly [Edit, Verdict])[];
}

interface Golden {
  readonly transformers: string;
  /** Type → key → default of its class. */
  readonly defaults: Readonly<Record<string, JsonObject>>;
  readonly bases: Readonly<Record<string, SweepBase>>;
}

export const readGolden = async (): Promise<Golden> =>
  JSON.parse(await readFile(new URL("../fixtures/config-sweep.json", import.meta.url), "utf8")) as Golden;

/** One of the tiny models. */
export async function readBase(name: string): Promise<SweepBase> {
  const base = (await readGolden()).bases[name];
  if (base === undefined) throw new Error(`config-sweep.json has no base ${name}`);
  return base;
}

/** The configuration after an edit. */
export function edited(config: JsonObject, edit: Edit): JsonObject {
  if (typeof edit !== "string") return { ...config, ...edit };
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== edit));
}

const isHead = (name: string): boolean => name === "lm_head.weight" || name === "embed_out.weight";

const isUnprefixed = (name: string): boolean => isHead(name) || name === "final_logits_bias";

const storedShape = ({ shape, transposed }: ExpectedTensor): readonly number[] => (transposed ? shape.toReversed() : shape);

/** Names and shapes of the tensors in the base's file, by what our layout asks for. */
function storedTensors(base: SweepBase, layout: Layout): readonly (readonly [string, readonly number[]])[] {
  const kept = layout.tensors.filter(
    ({ name, required, zeros }) => required || zeros === true || (base.head === true && isHead(name)),
  );
  const shapes = new Map(kept.map((tensor) => [tensor.name, storedShape(tensor)]));
  if (base.fused === true) {
    for (const { name, parts, whole } of layout.joined ?? []) {
      const shape = shapes.get(parts[0] ?? "") ?? [];
      const [rows = 0, columns = 0] = shape;
      for (const part of parts) shapes.delete(part);
      if (whole !== undefined) shapes.set(name, wholeShape(shape, parts.length, whole));
      else if (parts.length === 1) shapes.set(name, [rows, columns]);
      else if (name.endsWith("gate_up_proj")) shapes.set(name, [parts.length / 2, 2 * rows, columns]);
      else shapes.set(name, [parts.length, rows, columns]);
    }
  }
  const [prefix = ""] = layout.prefixes;
  // an encoder that is saved without a head has no prefix
  const hasOwnNames = (name: string): boolean => base.encoder === true || isUnprefixed(name);
  return [...shapes].map(([name, shape]) => [hasOwnNames(name) ? name : `${prefix}${name}`, shape]);
}

/** The base's weight file, made of nothing but its configuration. @throws where transformers has other names or shapes */
export async function weightFile(base: SweepBase): Promise<TensorFile> {
  const architecture = await loadArchitecture(base.config.model_type, "config.json");
  const stored = storedTensors(base, architecture.read(base.config, "config.json").layout);
  const lines = stored.map(([name, shape]) => `${name} ${shape.join("x")}\n`).sort((a, b) => (a < b ? -1 : 1));
  const hash = createHash("sha256").update(lines.join("")).digest("hex");
  if (hash !== base.tensors)
    throw new Error(`${base.config.model_type} has other tensors than in transformers:\n${lines.join("")}`);
  const centre = /^gemma[23]/.test(base.config.model_type) ? 0 : 1;
  const bytes = new Map<string, Uint8Array>();
  let begin = 0;
  const tensors = stored.map(([name, shape]) => {
    const end = begin + 4 * shape.reduce((product, side) => product * side, 1);
    const entry = { name, storedDtype: "F32", shape, begin, end };
    begin = end;
    return entry;
  });
  return {
    path: "model.safetensors",
    name: "model.safetensors",
    metadata: {},
    tensors,
    readInto(entry, offset, target) {
      const known = bytes.get(entry.name) ?? new Uint8Array(weightOf(entry.name, entry.shape, centre).buffer);
      bytes.set(entry.name, known);
      target.set(known.subarray(offset, offset + target.length));
    },
    close: () => undefined,
  };
}
