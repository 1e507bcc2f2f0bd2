import { FailedPreconditionError, once } from "@mbs/contracts";
import type { GgufForm } from "../gguf/form/gguf-form.ts";
import type { Architecture } from "./architecture.ts";

/** How llama.cpp has a model type. */
export interface GgufType {
  /** `general.architecture` of its files. */
  readonly architecture: string;
  readonly load: () => Promise<GgufForm>;
  /** False where such files are read and not written. */
  readonly isWritten?: false;
  /** False where such files are written and not read. */
  readonly isRead?: false;
}

/** A model type: what it is made of, and what other programs know of it. */
export interface ModelType {
  /** Absent where transformers has it only inside of another type. */
  readonly load?: () => Promise<Architecture>;
  /** Absent where llama.cpp does not have it. */
  readonly gguf?: GgufType;
  /** False where transformers.js 4.3 has no class for it. */
  readonly isInTransformersJs?: false;
}

/** Supported types by `model_type`, each loaded when first needed. A new one is its files in model-types/ and an entry here. */
const types: Readonly<Record<string, ModelType>> = {
  apertus: {
    load: async () => (await import("./model-types/apertus.ts")).apertus,
    gguf: { architecture: "apertus", load: async () => (await import("./model-types/apertus.gguf.ts")).apertus },
  },
  bert: {
    load: async () => (await import("./model-types/bert.ts")).bert,
    gguf: { architecture: "bert", load: async () => (await import("./model-types/bert.gguf.ts")).bert },
  },
  bloom: {
    load: async () => (await import("./model-types/bloom.ts")).bloom,
    gguf: { architecture: "bloom", load: async () => (await import("./model-types/bloom.gguf.ts")).bloom },
  },
  cohere: {
    load: async () => (await import("./model-types/cohere.ts")).cohere,
    gguf: { architecture: "command-r", load: async () => (await import("./model-types/cohere.gguf.ts")).cohere },
  },
  cohere2: {
    load: async () => (await import("./model-types/cohere2.ts")).cohere2,
    gguf: { architecture: "cohere2", load: async () => (await import("./model-types/cohere2.gguf.ts")).cohere2 },
  },
  exaone4: {
    load: async () => (await import("./model-types/exaone4.ts")).exaone4,
    gguf: { architecture: "exaone4", load: async () => (await import("./model-types/exaone4.gguf.ts")).exaone4 },
    isInTransformersJs: false,
  },
  gemma2: {
    load: async () => (await import("./model-types/gemma2.ts")).gemma2,
    gguf: { architecture: "gemma2", load: async () => (await import("./model-types/gemma2.gguf.ts")).gemma2 },
  },
  gemma3: {
    load: async () => (await import("./wrapped-types/gemma3.ts")).gemma3,
  },
  gemma3_text: {
    load: async () => (await import("./model-types/gemma3.ts")).gemma3,
    gguf: { architecture: "gemma3", load: async () => (await import("./model-types/gemma3.gguf.ts")).gemma3 },
  },
  gemma4: {
    load: async () => (await import("./wrapped-types/gemma4.ts")).gemma4,
  },
  gemma4_text: {
    load: async () => (await import("./model-types/gemma4.ts")).gemma4,
    gguf: { architecture: "gemma4", load: async () => (await import("./model-types/gemma4.gguf.ts")).gemma4 },
    isInTransformersJs: false,
  },
  gpt2: {
    load: async () => (await import("./model-types/gpt2.ts")).gpt2,
    gguf: { architecture: "gpt2", load: async () => (await import("./model-types/gpt2.gguf.ts")).gpt2 },
  },
  gpt_neox: {
    load: async () => (await import("./model-types/gpt-neox.ts")).gptNeox,
    gguf: { architecture: "gptneox", load: async () => (await import("./model-types/gpt-neox.gguf.ts")).gptNeox },
  },
  gpt_oss: {
    load: async () => (await import("./model-types/gpt-oss.ts")).gptOss,
    gguf: { architecture: "gpt-oss", load: async () => (await import("./model-types/gpt-oss.gguf.ts")).gptOss },
  },
  granite: {
    load: async () => (await import("./model-types/granite.ts")).granite,
    gguf: { architecture: "granite", load: async () => (await import("./model-types/granite.gguf.ts")).granite },
  },
  hunyuan_v1_dense: {
    load: async () => (await import("./model-types/hunyuan-v1-dense.ts")).hunyuanV1Dense,
    gguf: {
      architecture: "hunyuan-dense",
      load: async () => (await import("./model-types/hunyuan-v1-dense.gguf.ts")).hunyuanV1Dense,
    },
  },
  lfm2: {
    load: async () => (await import("./model-types/lfm2.ts")).lfm2,
    gguf: { architecture: "lfm2", load: async () => (await import("./model-types/lfm2.gguf.ts")).lfm2 },
  },
  llama: {
    load: async () => (await import("./model-types/llama.ts")).llama,
    gguf: { architecture: "llama", load: async () => (await import("./model-types/llama.gguf.ts")).llama },
  },
  m2m_100: {
    load: async () => (await import("./model-types/m2m-100.ts")).m2m100,
  },
  mbart: {
    load: async () => (await import("./model-types/mbart.ts")).mbart,
  },
  ministral3: {
    load: async () => (await import("./model-types/ministral3.ts")).ministral3,
    gguf: { architecture: "mistral3", load: async () => (await import("./model-types/ministral3.gguf.ts")).ministral3 },
  },
  mistral: {
    load: async () => (await import("./model-types/mistral.ts")).mistral,
    gguf: { architecture: "llama", load: async () => (await import("./model-types/mistral.gguf.ts")).mistral },
  },
  mistral3: {
    load: async () => (await import("./wrapped-types/mistral3.ts")).mistral3,
  },
  mixtral: {
    load: async () => (await import("./model-types/mixtral.ts")).mixtral,
    gguf: { architecture: "llama", load: async () => (await import("./model-types/mixtral.gguf.ts")).mixtral },
    isInTransformersJs: false,
  },
  mt5: {
    load: async () => (await import("./model-types/mt5.ts")).mt5,
    gguf: { architecture: "t5", load: async () => (await import("./model-types/t5.gguf.ts")).mt5, isWritten: false },
  },
  olmo2: {
    load: async () => (await import("./model-types/olmo2.ts")).olmo2,
    gguf: { architecture: "olmo2", load: async () => (await import("./model-types/olmo2.gguf.ts")).olmo2 },
  },
  phi3: {
    load: async () => (await import("./model-types/phi3.ts")).phi3,
    gguf: { architecture: "phi3", load: async () => (await import("./model-types/phi3.gguf.ts")).phi3 },
  },
  qwen2: {
    load: async () => (await import("./model-types/qwen2.ts")).qwen2,
    gguf: { architecture: "qwen2", load: async () => (await import("./model-types/qwen2.gguf.ts")).qwen2 },
  },
  qwen2_moe: {
    load: async () => (await import("./model-types/qwen2-moe.ts")).qwen2Moe,
    gguf: { architecture: "qwen2moe", load: async () => (await import("./model-types/qwen2-moe.gguf.ts")).qwen2Moe },
  },
  qwen3: {
    load: async () => (await import("./model-types/qwen3.ts")).qwen3,
    gguf: { architecture: "qwen3", load: async () => (await import("./model-types/qwen3.gguf.ts")).qwen3 },
  },
  qwen3_5: {
    load: async () => (await import("./wrapped-types/qwen3-5.ts")).qwen35,
  },
  qwen3_5_moe: {
    load: async () => (await import("./wrapped-types/qwen3-5.ts")).qwen35Moe,
  },
  qwen3_5_moe_text: {
    load: async () => (await import("./model-types/qwen3-5-moe.ts")).qwen35Moe,
    gguf: { architecture: "qwen35moe", load: async () => (await import("./model-types/qwen3-5-moe.gguf.ts")).qwen35Moe },
    isInTransformersJs: false,
  },
  qwen3_5_text: {
    load: async () => (await import("./model-types/qwen3-5.ts")).qwen35,
    gguf: { architecture: "qwen35", load: async () => (await import("./model-types/qwen3-5.gguf.ts")).qwen35 },
  },
  qwen3_moe: {
    load: async () => (await import("./model-types/qwen3-moe.ts")).qwen3Moe,
    gguf: { architecture: "qwen3moe", load: async () => (await import("./model-types/qwen3-moe.gguf.ts")).qwen3Moe },
  },
  qwen3_vl: {
    load: async () => (await import("./wrapped-types/qwen3-vl.ts")).qwen3Vl,
  },
  qwen3_vl_text: {
    gguf: {
      architecture: "qwen3vl",
      load: async () => (await import("./model-types/qwen3-vl-text.gguf.ts")).qwen3VlText,
      isRead: false,
    },
    isInTransformersJs: false,
  },
  seed_oss: {
    load: async () => (await import("./model-types/seed-oss.ts")).seedOss,
    gguf: { architecture: "seed_oss", load: async () => (await import("./model-types/seed-oss.gguf.ts")).seedOss },
    isInTransformersJs: false,
  },
  smollm3: {
    load: async () => (await import("./model-types/smollm3.ts")).smollm3,
    gguf: { architecture: "smollm3", load: async () => (await import("./model-types/smollm3.gguf.ts")).smollm3 },
  },
  t5: {
    load: async () => (await import("./model-types/t5.ts")).t5,
    gguf: { architecture: "t5", load: async () => (await import("./model-types/t5.gguf.ts")).t5, isWritten: false },
  },
  umt5: {
    load: async () => (await import("./model-types/umt5.ts")).umt5,
    isInTransformersJs: false,
  },
  xglm: {
    load: async () => (await import("./model-types/xglm.ts")).xglm,
    isInTransformersJs: false,
  },
  "xlm-roberta": {
    load: async () => (await import("./model-types/xlm-roberta.ts")).xlmRoberta,
    gguf: { architecture: "bert", load: async () => (await import("./model-types/xlm-roberta.gguf.ts")).xlmRoberta },
  },
};

export const modelTypes: ReadonlyMap<string, ModelType> = new Map(Object.entries(types));

/** `model_type`s that can be opened. */
export const supportedTypes: readonly string[] = [...modelTypes].flatMap(([name, { load }]) =>
  load === undefined ? [] : [name],
);

/** By model type. A repeated `import()` gives the same module, and asks all loaders of the process before. */
const loaded = new Map<string, Promise<Architecture>>();

/** @throws {FailedPreconditionError} naming the supported ones when `modelType` is another */
export async function loadArchitecture(modelType: unknown, file: string): Promise<Architecture> {
  const load = typeof modelType === "string" ? modelTypes.get(modelType)?.load : undefined;
  if (typeof modelType !== "string" || load === undefined) {
    const supported = supportedTypes.join(", ");
    throw new FailedPreconditionError(
      `${file}: model_type ${JSON.stringify(modelType) ?? "absent"} is not supported; supported: ${supported}`,
      {
        file,
        supported,
      },
    );
  }
  return once(loaded, modelType, load);
}

/** Whether transformers.js has a class for a model type. */
export const isInTransformersJs = (modelType: string): boolean => modelTypes.get(modelType)?.isInTransformersJs ?? true;
