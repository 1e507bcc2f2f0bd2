import { at, FailedPreconditionError } from "@mbs/contracts";
import { bytesOfDtype, encodeWeights, roundTo } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/numbers";
import type { Layout } from "../../architectures/layout.ts";
import { choice, nullable, only, optional } from "../../config/config-keys.ts";
import { readConfig } from "../../config/config.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import type { Checkpoint, TensorInfo } from "../checkpoint.ts";
import { packedFormats, readPackedSchemes } from "./compressed-tensors-config.ts";
import { gptqLinear, mxfp4Expert, mxfp4Linear, nvfp4Linear, packedLinear } from "./quantised-linear.ts";
import type { QuantisedLinear } from "./quantised-linear.ts";

const dtypes: ReadonlyMap<unknown, WeightDtype> = new Map([
  ["float32", "f32"],
  ["float16", "f16"],
  ["bfloat16", "bf16"],
]);

const modulesWith = (checkpoint: Checkpoint, suffix: string): string[] =>
  checkpoint.list().flatMap(({ name }) => (name.endsWith(suffix) ? [name.slice(0, -suffix.length)] : []));

const packings = ["gptq", "gptq_v2"] as const;

/** The keys of GPTQ's configuration that say how the files are packed. */
const packingKeys = {
  pack_dtype: nullable(choice(["int32"], "int32")),
  is_marlin_format: nullable(only(false)),
  adapter: nullable(only(null)),
  checkpoint_format: optional(choice(packings, "gptq")),
  format: optional(choice(packings, "gptq")),
};

/** What is to be added to stored zeros. @throws {FailedPreconditionError} for tensors that are packed in another order */
function readZeroOffset(quantisation: JsonObject, file: string): 0 | 1 {
  const { values } = readConfig(quantisation, packingKeys, { file, prefix: "quantization_config.", unknown: [] });
  return (values.checkpoint_format ?? values.format ?? "gptq") === "gptq" ? 1 : 0;
}

/** The method of models that are published so, without a dense form: they are read, and written, as if they were dense. */
export const releasedMethod = "mxfp4";

/** The experts of a released model, by the names of their matrices. */
function releasedExperts(checkpoint: Checkpoint, { joined = [], prefixes, tensors }: Layout): Map<string, QuantisedLinear> {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const linears = new Map<string, QuantisedLinear>();
  for (const { name, parts, whole } of joined) {
    const prefix = ["", ...prefixes].find((start) => checkpoint.has(`${start}${name}_blocks`));
    if (prefix === undefined || whole?.woven !== true) continue;
    for (const [place, part] of parts.entries()) {
      const [rows = 1, columns = 1] = shapes.get(part) ?? [];
      const own = { shape: [rows, columns], parts: parts.length, place, woven: whole.parts } as const;
      linears.set(`${prefix}${part}`, mxfp4Expert(checkpoint, `${prefix}${name}`, own));
    }
  }
  return linears;
}

/** Layers of floats of four bits, by the format. */
const floatLinears: ReadonlyMap<unknown, (checkpoint: Checkpoint, module: string) => QuantisedLinear | Promise<QuantisedLinear>> =
  new Map([
    ["mxfp4-pack-quantized", mxfp4Linear],
    ["nvfp4-pack-quantized", nvfp4Linear],
  ]);

async function findLinears(
  checkpoint: Checkpoint,
  quantisation: JsonObject,
  dtype: WeightDtype,
  { file, layout }: { readonly file: string; readonly layout: Layout },
): Promise<ReadonlyMap<string, QuantisedLinear>> {
  const { quant_method: method, format } = quantisation;
  const linears = new Map<string, QuantisedLinear>();
  if (method === releasedMethod) return releasedExperts(checkpoint, layout);
  if (method === "gptq") {
    const zeroOffset = readZeroOffset(quantisation, file);
    for (const module of modulesWith(checkpoint, ".qweight")) {
      linears.set(`${module}.weight`, gptqLinear(checkpoint, module, zeroOffset, dtype));
    }
  } else if (method === "compressed-tensors" && (format === "dense" || packedFormats.some((own) => own === format))) {
    const schemes = readPackedSchemes(quantisation, file);
    const read = floatLinears.get(format) ?? ((...given) => packedLinear(...given, schemes));
    for (const module of modulesWith(checkpoint, ".weight_packed")) {
      linears.set(`${module}.weight`, await read(checkpoint, module));
    }
  } else {
    const found = [method, format].filter((part) => typeof part === "string").join(" ");
    throw new FailedPreconditionError(
      `${file}: quantization_config is of ${found || "an unnamed method"}, which is not supported; supported: gptq, compressed-tensors ${packedFormats.join(" and ")}, mxfp4 of gpt-oss; or take the dense model`,
      { file },
    );
  }
  return linears;
}

/**
 * The checkpoint of a quantised model with the values of its packed weights, rounded to the model's dtype.
 * `files` stay those on disk. A checkpoint that is not quantised is returned as it is.
 *
 * @param config the parsed config.json
 * @param file its path, for messages
 * @param layout with the names of the architecture
 * @returns also the dtype of the values of a released model, whose files are then those that it would be dense
 * @throws {FailedPreconditionError} for a method that is not supported
 */
export async function readableCheckpoint(
  checkpoint: Checkpoint,
  config: JsonObject,
  { file, layout }: { readonly file: string; readonly layout: Layout },
): Promise<{ readonly checkpoint: Checkpoint; readonly releasedDtype?: WeightDtype }> {
  const quantisation = Object.hasOwn(config, "quantization_config") ? config["quantization_config"] : undefined;
  if (typeof quantisation !== "object" || quantisation === null) return { checkpoint };
  const dtype = dtypes.get(config["dtype"] ?? config["torch_dtype"]) ?? "f16";
  const linears = await findLinears(checkpoint, quantisation as JsonObject, dtype, { file, layout });
  if (linears.size === 0) return { checkpoint };
  const packed = new Set([...linears.values()].flatMap(({ tensors }) => tensors));
  const infos = new Map<string, TensorInfo>(checkpoint.list().map((info) => [info.name, info]));
  for (const [name, { shape, tensors }] of linears) {
    const bytes = shape[0] * shape[1] * bytesOfDtype(dtype);
    infos.set(name, {
      name,
      storedDtype: dtype.toUpperCase(),
      dtype,
      shape,
      bytes,
      file: checkpoint.info(at(tensors, 0)).file,
    });
  }
  for (const name of packed) infos.delete(name);
  const sorted = [...infos.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const readF32 = async (name: string): Promise<Float32Array> => {
    const linear = linears.get(name);
    return linear === undefined ? checkpoint.readF32(name) : roundTo(dtype, await linear.values());
  };
  const isReleased = (quantisation as JsonObject)["quant_method"] === releasedMethod;
  const files = isReleased
    ? checkpoint.files.map((own) => ({ ...own, tensors: sorted.filter((info) => info.file === own.file) }))
    : checkpoint.files;
  // what is written is read in pieces
  let last: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  const readable: Checkpoint = {
    files,
    nonfinite: checkpoint.nonfinite,
    allowNonfinite: checkpoint.allowNonfinite,
    noteNonfinite: (...found) => checkpoint.noteNonfinite(...found),
    list: () => sorted,
    has: (name) => infos.has(name),
    info: (name) => infos.get(name) ?? checkpoint.info(name),
    readF32,
    async readRowsF32(name, rows) {
      const linear = linears.get(name);
      if (linear === undefined) return checkpoint.readRowsF32(name, rows);
      const columns = linear.shape[1];
      const all = await readF32(name);
      const chosen = new Float32Array(rows.length * columns);
      for (const [index, row] of Array.from(rows).entries()) {
        chosen.set(all.subarray(row * columns, (row + 1) * columns), index * columns);
      }
      return chosen;
    },
    readPacked: async (name) => linears.get(name)?.packed?.(),
    async readRaw(name, offset = 0, length) {
      if (!linears.has(name)) return checkpoint.readRaw(name, offset, length);
      if (last?.name !== name) last = { name, bytes: encodeWeights(dtype, await readF32(name)) };
      const { bytes } = last;
      return bytes.slice(offset, length === undefined ? undefined : offset + length);
    },
    close: () => checkpoint.close(),
  };
  return { checkpoint: readable, ...(isReleased && { releasedDtype: dtype }) };
}
