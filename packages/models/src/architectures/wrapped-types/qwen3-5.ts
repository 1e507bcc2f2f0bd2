import { flag, only } from "../../config/config-keys.ts";
import { qwen35 as qwen35Text } from "../model-types/qwen3-5.ts";
import { qwen35Moe as qwen35MoeText } from "../model-types/qwen3-5-moe.ts";
import { defineWrapped } from "../wrapped.ts";

const shared = {
  carried: ["visual"],
  tied: false,
  tokens: { image_token_id: 248_056, video_token_id: 248_057, vision_start_token_id: 248_053, vision_end_token_id: 248_054 },
  keys: { tie_word_embeddings: flag(false), return_dict: only(true) },
} as const;

/** Qwen 3.5 and 3.6 with images (dense). */
export const qwen35 = defineWrapped({ ...shared, modelType: "qwen3_5", inner: [qwen35Text] });

/** The same with experts. */
export const qwen35Moe = defineWrapped({ ...shared, modelType: "qwen3_5_moe", inner: [qwen35MoeText] });
