import { BadDataError } from "@mbs/contracts";
import { Float } from "../python/values.ts";
import { asSettings, type Settings, type YamlValue } from "../yaml/read-yaml.ts";

export interface GenerationLimits {
  readonly until: readonly string[];
  readonly maximumTokens: number;
}

const defaultMaximum = 256;
/** Names of the same setting, the first that is there counts. */
const maximumKeys = ["max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"];

/** Where an answer ends: `generation_kwargs`. `sampled` says that the task wants answers drawn at random. */
export function parseGenerationLimits(task: string, settings: Settings): GenerationLimits & { readonly sampled: boolean } {
  const about = `generation_kwargs of the task ${task}`;
  const own = asSettings(settings.get("generation_kwargs") ?? new Map(), about);
  const stops: YamlValue = own.get("until") ?? settings.get("fewshot_delimiter") ?? "\n\n";
  const until = (Array.isArray(stops) ? stops : [stops]).map((stop) => {
    if (typeof stop !== "string") throw new BadDataError(`${about}: until has to be a list of texts; quote them`, { task });
    return stop;
  });
  const maximum = maximumKeys.map((key) => own.get(key) ?? undefined).find((value) => value !== undefined) ?? defaultMaximum;
  const maximumTokens = maximum instanceof Float ? Math.trunc(maximum.value) : maximum;
  if (typeof maximumTokens !== "number" || !(maximumTokens > 0))
    throw new BadDataError(`${about}: the number of tokens has to be above 0`, { task });
  const temperature = own.get("temperature");
  const isWarm = (temperature instanceof Float ? temperature.value : Number(temperature ?? 0)) > 0;
  const doSample = own.get("do_sample");
  return { until, maximumTokens, sampled: doSample === true || (doSample === undefined && isWarm) };
}
