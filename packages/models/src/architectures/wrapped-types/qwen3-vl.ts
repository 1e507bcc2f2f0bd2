import { qwen3VlText } from "../model-types/qwen3-vl-text.ts";
import { defineWrapped } from "../wrapped.ts";

/** Qwen 3 VL (dense). */
export const qwen3Vl = defineWrapped({
  modelType: "qwen3_vl",
  inner: [qwen3VlText],
  carried: ["visual"],
  tied: false,
  tokens: ["image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"],
  keys: {},
});
