import { FailedPreconditionError } from "@mbs/contracts";
import { readConfig } from "./config.ts";
import type { ConfigReader } from "./config.ts";
import type { JsonObject } from "./json-file.ts";

/** How a config group packs the weights of its layers. */
export interface PackedScheme {
  readonly bits: number;
  /** Columns a group; undefined where one group spans the row. */
  readonly groupSize: number | undefined;
  readonly symmetric: boolean;
}

const section = "quantization_config";
const remedy = "take the dense model";

/** What changes nothing of what a folder stands for, beside the keys that are read. */
const harmless = {
  config: ["quant_method", "global_compression_ratio", "version", "run_compressed", "dequantize", "ignore"],
  group: ["targets"],
  weights: ["observer", "observer_kwargs", "scale_dtype", "zp_dtype"],
};

/** Keys that change results in a way that is not built: they must be absent, null or empty. */
const unsupported = {
  config: ["kv_cache_scheme", "transform_config", "moe_sparsity_config"],
  group: ["input_activations", "output_activations"],
  weights: ["block_structure"],
};

const isEmpty = (value: unknown): boolean => value === null || (typeof value === "object" && Object.keys(value).length === 0);

/** A section of the configuration. @throws {FailedPreconditionError} naming a key that is not known, or not supported */
function readSection(
  value: unknown,
  kind: keyof typeof harmless,
  read: readonly string[],
  path: string,
  file: string,
): ConfigReader {
  const known = new Set([...harmless[kind], ...unsupported[kind], ...read]);
  const entries = Object.entries(value as object);
  const reader = readConfig(value as JsonObject, file, `${path}.`);
  for (const [key, entry] of entries) {
    if (unsupported[kind].includes(key) && !isEmpty(entry)) reader.refuse(key, remedy);
    if (known.has(key)) continue;
    throw new FailedPreconditionError(`${file}: ${path}.${key} is not known; ${remedy}`, { file, key });
  }
  return reader;
}

function readWeights(value: unknown, path: string, file: string): PackedScheme {
  const read = ["num_bits", "type", "symmetric", "strategy", "group_size", "dynamic", "actorder"];
  const weights = readSection(value, "weights", read, path, file);
  weights.requireOnly("type", "int");
  weights.requireOnly("dynamic", false);
  // Those that changed only how the codes were found; "group" scatters the columns of a group.
  if (weights.has("actorder")) weights.choice("actorder", ["weight", "static"], "weight");
  const whole = (value as JsonObject)["group_size"] === -1;
  const groupSize = whole ? undefined : weights.optionalCount("group_size");
  const strategy = weights.choice("strategy", ["group", "channel"], whole ? "channel" : "group");
  if ((strategy === "group") !== (groupSize !== undefined)) weights.broken("group_size", `what strategy ${strategy} asks for`);
  return { bits: weights.count("num_bits"), groupSize, symmetric: weights.flag("symmetric", true) };
}

const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The ways in which a folder of compressed-tensors packs its weights. A key that would change what the weights stand for, or
 * what the model computes, is refused by name; so is one that is not known.
 *
 * @param config `quantization_config` of config.json
 * @param file its path, for messages
 * @returns none where all weights are stored dense
 * @throws {BadDataError} where a value is broken
 * @throws {FailedPreconditionError} where a key or its value is not supported
 */
export function readPackedSchemes(config: JsonObject, file: string): readonly PackedScheme[] {
  const read = ["format", "quantization_status", "config_groups", "sparsity_config"];
  const reader = readSection(config, "config", read, section, file);
  const format = reader.choice("format", ["pack-quantized", "dense"], "dense");
  const sparsity = reader.optionalSection("sparsity_config");
  // The zeros of a pruned model stand in its dense weights; all other formats of sparsity pack them.
  if (sparsity !== undefined && !isEmpty(config["sparsity_config"])) sparsity.choice("format", ["dense"], "dense");
  const groups = reader.has("config_groups") ? config["config_groups"] : {};
  if (!isObject(groups)) return reader.broken("config_groups", "an object");
  if (format === "dense") {
    if (!isEmpty(groups)) reader.refuse("config_groups", `format "dense" has none; ${remedy}`);
    return [];
  }
  reader.choice("quantization_status", ["compressed", "frozen"], "compressed");
  return Object.entries(groups).map(([name, group]) => {
    const path = `${section}.config_groups.${name}`;
    if (!isObject(group)) return readConfig(groups, file, `${section}.config_groups.`).broken(name, "an object");
    const own = readSection(group, "group", ["weights", "format"], path, file);
    own.requireOnly("format", "pack-quantized");
    if (!isObject(group["weights"])) return own.broken("weights", "an object");
    return readWeights(group["weights"], `${path}.weights`, file);
  });
}
