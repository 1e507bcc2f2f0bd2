import { FailedPreconditionError } from "@mbs/contracts";
import { granite, llama, phi3, qwen2, qwen2Moe, qwen3 } from "./gated-models.ts";
import { gemma2, gemma3 } from "./gemma-models.ts";
import type { GgufArchitecture } from "./gguf-architecture.ts";
import { bloom, gpt2, gptNeox } from "./plain-models.ts";
import { t5 } from "./t5-model.ts";

/** Architectures that are read, by `general.architecture`. */
const architectures: ReadonlyMap<string, GgufArchitecture> = new Map([
  ["bloom", bloom],
  ["gemma2", gemma2],
  ["gemma3", gemma3],
  ["gpt2", gpt2],
  ["gptneox", gptNeox],
  ["granite", granite],
  ["llama", llama],
  ["phi3", phi3],
  ["qwen2", qwen2],
  ["qwen2moe", qwen2Moe],
  ["qwen3", qwen3],
  ["t5", t5],
]);

/** @throws {FailedPreconditionError} naming the supported ones when `name` is another */
export function ggufArchitecture(name: string, file: string): GgufArchitecture {
  const found = architectures.get(name);
  if (found !== undefined) return found;
  const supported = [...architectures.keys()].join(", ");
  throw new FailedPreconditionError(
    `${file}: architecture ${JSON.stringify(name)} is not supported in GGUF files; supported: ${supported}; or take the model's safetensors`,
    { file, supported },
  );
}
