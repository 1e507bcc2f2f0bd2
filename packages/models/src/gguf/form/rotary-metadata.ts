import type { JsonObject } from "../../folder/json-file.ts";
import { llama3Factors } from "./rotary-config.ts";
import type { ModelSettings } from "./model-settings.ts";

/** The inverse of `rotaryConfig`: metadata of a section of config.json about rotary positions. */

const numberIn = (section: JsonObject, key: string): number | undefined => {
  const value = section[key];
  return typeof value === "number" ? value : undefined;
};

/** The section that counts, as transformers reads it. */
export function rotarySection(model: ModelSettings): JsonObject {
  const scaling = model.section("rope_scaling");
  return Object.keys(scaling).length > 0 ? scaling : model.section("rope_parameters");
}

const baseOf = (model: ModelSettings, section: JsonObject): number =>
  numberIn(section, "rope_theta") ?? model.findNumber("rope_theta") ?? 10_000;

const typeOf = (section: JsonObject): string => {
  const type = section["rope_type"] ?? section["type"] ?? "default";
  return typeof type === "string" ? type : "default";
};

/** Tokens of a text of training, before the context was extended. */
const trainedContext = (model: ModelSettings, section: JsonObject): number =>
  model.findNumber("original_max_position_embeddings") ??
  numberIn(section, "original_max_position_embeddings") ??
  model.number("max_position_embeddings");

function putYarn(model: ModelSettings, section: JsonObject): void {
  for (const key of ["mscale", "mscale_all_dim"]) {
    if (section[key] !== undefined && section[key] !== null) model.refuse("rope_parameters", `it has ${key}`);
  }
  if (section["truncate"] === false) model.refuse("rope_parameters", "it has truncate false");
  const trained = trainedContext(model, section);
  model.put("rope.scaling.type", { type: "string", value: "yarn" });
  model.numbers({
    "rope.scaling.factor": numberIn(section, "factor") ?? model.number("max_position_embeddings") / trained,
    "rope.scaling.yarn_attn_factor": numberIn(section, "attention_factor"),
    "rope.scaling.yarn_beta_fast": numberIn(section, "beta_fast"),
    "rope.scaling.yarn_beta_slow": numberIn(section, "beta_slow"),
  });
  model.counts({ "rope.scaling.original_context_length": trained });
}

function putLlama3(model: ModelSettings, section: JsonObject, pairs: number): void {
  const required = (key: string): number => numberIn(section, key) ?? model.refuse("rope_parameters", `it has no ${key}`);
  const factors = llama3Factors(baseOf(model, section), pairs, required("factor"), {
    low_freq_factor: required("low_freq_factor"),
    high_freq_factor: required("high_freq_factor"),
    original_max_position_embeddings: trainedContext(model, section),
  });
  model.vectors.set("rope_freqs.weight", Float32Array.from(factors));
}

function putLongrope(model: ModelSettings, section: JsonObject): void {
  const trained = trainedContext(model, section);
  const factor = numberIn(section, "factor") ?? model.number("max_position_embeddings") / trained;
  for (const kind of ["long", "short"]) {
    const factors = section[`${kind}_factor`];
    if (!Array.isArray(factors)) model.refuse("rope_parameters", `it has no ${kind}_factor`);
    model.vectors.set(`rope_factors_${kind}.weight`, Float32Array.from(factors, Number));
  }
  const attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
  model.numbers({ "rope.scaling.attn_factor": numberIn(section, "attention_factor") ?? attention });
}

/** Whether a longrope section divides the frequencies of all texts by the same factors, and nothing else. */
function isOneList({ short_factor: short, long_factor: long, attention_factor: attention }: JsonObject): boolean {
  return Array.isArray(long) && JSON.stringify(short) === JSON.stringify(long) && attention === 1;
}

/**
 * Base and scaling of positions.
 *
 * @param section of config.json
 * @param turned elements of a head that turn
 * @param longrope whether files of the architecture hold factors for short and long texts
 * @throws {FailedPreconditionError} on a type of scaling that GGUF files cannot say
 */
export function putRotary(model: ModelSettings, section: JsonObject, turned: number, longrope = false): void {
  model.numbers({ "rope.freq_base": baseOf(model, section) });
  const type = typeOf(section);
  switch (type) {
    case "default":
      return;
    case "linear":
      model.put("rope.scaling.type", { type: "string", value: "linear" });
      model.numbers({ "rope.scaling.factor": numberIn(section, "factor") });
      return;
    case "llama3":
      return putLlama3(model, section, turned / 2);
    case "yarn":
      return putYarn(model, section);
    default:
      if (isOneList(section)) {
        model.vectors.set("rope_freqs.weight", Float32Array.from(section["long_factor"] as number[]));
        return;
      }
      if (longrope && (type === "longrope" || type === "su")) return putLongrope(model, section);
      return model.refuse("rope_parameters", `positions are scaled by ${JSON.stringify(type)}`);
  }
}

/** Share of a head's elements that turn, where the configuration names one. */
export const turnedShare = (model: ModelSettings): number | undefined =>
  numberIn(rotarySection(model), "partial_rotary_factor") ?? model.findNumber("partial_rotary_factor");
