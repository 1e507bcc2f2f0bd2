import { FailedPreconditionError } from "@mbs/contracts";
import type { Architecture } from "./architecture.ts";

/** Supported `model_type`s, each loaded when first needed. A new one is a file in model-types/ and a line here. */
const architectures: ReadonlyMap<string, () => Promise<Architecture>> = new Map([
  ["bloom", async () => (await import("./model-types/bloom.ts")).bloom],
  ["gemma2", async () => (await import("./model-types/gemma2.ts")).gemma2],
  ["gemma3_text", async () => (await import("./model-types/gemma3.ts")).gemma3],
  ["gpt2", async () => (await import("./model-types/gpt2.ts")).gpt2],
  ["gpt_neox", async () => (await import("./model-types/gpt-neox.ts")).gptNeox],
  ["granite", async () => (await import("./model-types/granite.ts")).granite],
  ["llama", async () => (await import("./model-types/llama.ts")).llama],
  ["mistral", async () => (await import("./model-types/mistral.ts")).mistral],
  ["mixtral", async () => (await import("./model-types/mixtral.ts")).mixtral],
  ["mt5", async () => (await import("./model-types/mt5.ts")).mt5],
  ["phi3", async () => (await import("./model-types/phi3.ts")).phi3],
  ["qwen2", async () => (await import("./model-types/qwen2.ts")).qwen2],
  ["qwen2_moe", async () => (await import("./model-types/qwen2-moe.ts")).qwen2Moe],
  ["qwen3", async () => (await import("./model-types/qwen3.ts")).qwen3],
  ["t5", async () => (await import("./model-types/t5.ts")).t5],
  ["xglm", async () => (await import("./model-types/xglm.ts")).xglm],
]);

/** `model_type`s that can be opened. */
export const supportedTypes: readonly string[] = [...architectures.keys()];

/** @throws {FailedPreconditionError} naming the supported ones when `modelType` is another */
export async function loadArchitecture(modelType: unknown, file: string): Promise<Architecture> {
  const load = typeof modelType === "string" ? architectures.get(modelType) : undefined;
  if (load === undefined) {
    const supported = supportedTypes.join(", ");
    throw new FailedPreconditionError(
      `${file}: model_type ${JSON.stringify(modelType) ?? "absent"} is not supported; supported: ${supported}`,
      {
        file,
        supported,
      },
    );
  }
  return load();
}
