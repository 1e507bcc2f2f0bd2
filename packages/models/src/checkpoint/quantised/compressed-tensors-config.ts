import { FailedPreconditionError } from "@mbs/contracts";
import { anything, choice, count, flag, nullable, only, optional, section } from "../../config/config-keys.ts";
import type { Key, Keys, ValuesOf } from "../../config/config-keys.ts";
import { readConfig } from "../../config/config.ts";
import type { Config } from "../../config/config.ts";
import type { JsonObject } from "../../folder/json-file.ts";

/** How a config group packs the weights of its layers. */
export interface PackedScheme {
  readonly bits: number;
  /** Columns a group; undefined where one group spans the row. */
  readonly groupSize: number | undefined;
  readonly symmetric: boolean;
}

/** A format of weights in E2M1, floats of four bits. */
interface FloatFormat {
  /** Columns that share a scale. */
  readonly groupSize: number;
  readonly strategy: "group" | "tensor_group";
}

/** By their names: MXFP4 has powers of two for scales, NVFP4 E4M3's numbers and one for the whole tensor. */
const floatFormats: ReadonlyMap<string, FloatFormat> = new Map([
  ["mxfp4-pack-quantized", { groupSize: 32, strategy: "group" }],
  ["nvfp4-pack-quantized", { groupSize: 16, strategy: "tensor_group" }],
]);

/** All that have packed weights. */
export const packedFormats: readonly string[] = ["pack-quantized", ...floatFormats.keys()];

const top = "quantization_config";
const remedy = "take the dense model";

const isEmpty = (value: unknown): boolean => value === null || (typeof value === "object" && Object.keys(value).length === 0);

/** A key that changes results in a way that is not supported: it must be absent, null or empty. */
const empty: Key<unknown> = {
  fallback: undefined,
  read: (value, fault) => (isEmpty(value) ? value : fault.refuse(remedy)),
};

/** Column orders that only affected how the codes were found are read; "group" (or true) scatters the columns of a group. */
const actorder: Key<unknown> = {
  fallback: null,
  read: (value, fault) => (value === null || value === "weight" || value === "static" ? value : fault.refuse(remedy)),
};

const configKeys = {
  quant_method: anything,
  global_compression_ratio: anything,
  version: anything,
  run_compressed: anything,
  dequantize: anything,
  ignore: anything,
  kv_cache_scheme: empty,
  transform_config: empty,
  moe_sparsity_config: empty,
  format: choice([...packedFormats, "dense"], "dense"),
  quantization_status: choice(["compressed", "frozen"], "compressed"),
  config_groups: section,
  // A pruned model in this format stores its zeros; all other formats of sparsity pack them.
  sparsity_config: nullable(section),
};

const sparsityKeys = { format: choice(["dense"], "dense") };

const groupKeys = {
  targets: anything,
  input_activations: empty,
  output_activations: empty,
  format: nullable(choice(packedFormats, "pack-quantized")),
  weights: section,
};

const weightsKeys = {
  observer: anything,
  observer_kwargs: anything,
  scale_dtype: anything,
  zp_dtype: anything,
  block_structure: empty,
  num_bits: optional(count(4)),
  type: choice<"int" | "float">(["int", "float"], "int"),
  dynamic: only(false),
  actorder,
  group_size: nullable({ ...count(1), read: (value, fault) => (value === -1 ? -1 : count(1).read(value, fault)) }),
  strategy: optional(choice(["group", "channel", "tensor_group"], "group")),
  symmetric: flag(true),
} satisfies Keys;

/** A part of the configuration. @throws {FailedPreconditionError} naming a key that is not known, or not supported */
function readPart<Table extends Keys>(json: JsonObject, table: Table, path: string, file: string): Config<ValuesOf<Table>> {
  const unknown: string[] = [];
  const part = readConfig(json, table, { file, prefix: `${path}.`, unknown });
  const [key] = unknown;
  if (key !== undefined) throw new FailedPreconditionError(`${file}: ${key} is not known; ${remedy}`, { file, key });
  return part;
}

function readWeights(json: JsonObject, path: string, file: string, format: string): PackedScheme {
  const weights = readPart(json, weightsKeys, path, file);
  const { num_bits: bits, group_size: size, symmetric, type } = weights.values;
  if (bits === undefined) return weights.broken("num_bits", "a whole number, at least 1");
  const whole = size === -1;
  const groupSize = whole || size === null ? undefined : size;
  const { strategy = whole ? "channel" : "group" } = weights.values;
  if ((strategy !== "channel") !== (groupSize !== undefined)) weights.broken("group_size", `what strategy ${strategy} asks for`);
  const floats = floatFormats.get(format);
  const names = [...floatFormats.keys()].join(" and ");
  if (floats === undefined) {
    if (type === "float") weights.refuse("type", `supported: int, or floats in ${names}; ${remedy}`);
    if (strategy === "tensor_group") weights.refuse("strategy", `supported: group, channel; ${remedy}`);
  } else if (type !== "float" || bits !== 4 || groupSize !== floats.groupSize || !symmetric) {
    weights.refuse("type", `in ${format} weights are floats of 4 bits in symmetric groups of ${floats.groupSize}; ${remedy}`);
  } else if (strategy !== floats.strategy) {
    weights.refuse("strategy", `in ${format} it is ${floats.strategy}; ${remedy}`);
  }
  return { bits, groupSize, symmetric };
}

/**
 * The ways in which a model in compressed-tensors packs its weights. An unknown key is refused by name, and so is a key that
 * would change the weights' values or what the model computes.
 *
 * @param config `quantization_config` of config.json
 * @param file its path, for messages
 * @returns none where all weights are stored dense
 * @throws {BadDataError} where a value is broken
 * @throws {FailedPreconditionError} where a key or its value is not supported
 */
export function readPackedSchemes(config: JsonObject, file: string): readonly PackedScheme[] {
  const { values, refuse } = readPart(config, configKeys, top, file);
  const { format, config_groups: groups, sparsity_config: sparsity } = values;
  // it describes the zeros of a pruned model; no weight depends on it
  if (sparsity !== null && !isEmpty(sparsity))
    readConfig(sparsity, sparsityKeys, { file, prefix: `${top}.sparsity_config.`, unknown: [] });
  if (format === "dense") {
    if (!isEmpty(groups)) refuse("config_groups", `format "dense" has none; ${remedy}`);
    return [];
  }
  const table = Object.fromEntries(Object.keys(groups).map((name) => [name, section] as const));
  return Object.entries(readPart(groups, table, `${top}.config_groups`, file).values).map(([name, group]) => {
    const path = `${top}.config_groups.${name}`;
    const own = readPart(group, groupKeys, path, file);
    if ((own.values.format ?? format) !== format) own.refuse("format", `${format} is that of the whole; ${remedy}`);
    return readWeights(own.values.weights, `${path}.weights`, file, format);
  });
}
