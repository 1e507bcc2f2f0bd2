import { chooseTypes } from "@mbs/gguf";
import type { QuantisationType, TypeMixFacts, TypeMix } from "@mbs/gguf";
import type { GgufPlan } from "./plan-gguf.ts";

function factsOf({ architecture, metadata }: GgufPlan): TypeMixFacts {
  const count = (name: string): number | undefined => {
    const value = metadata.get(`${architecture}.${name}`)?.value;
    // llama.cpp takes those of the first block where there is one for each
    const first = Array.isArray(value) ? value[0] : value;
    return typeof first === "number" ? first : undefined;
  };
  const heads = count("attention.head_count") ?? 1;
  const kvHeads = count("attention.head_count_kv") ?? heads;
  return {
    architecture,
    blocks: count("block_count") ?? 0,
    // as in llama.cpp, 0 where the first block does not attend
    groupedHeads: kvHeads === 0 ? 0 : heads / kvHeads,
    experts: count("expert_count") ?? 0,
  };
}

/** The types of the tensors of a planned file, by their names in it. */
export const ggufTypes = (plan: GgufPlan, typeMix: TypeMix): ReadonlyMap<string, QuantisationType> =>
  chooseTypes(typeMix, plan.tensors, factsOf(plan));
