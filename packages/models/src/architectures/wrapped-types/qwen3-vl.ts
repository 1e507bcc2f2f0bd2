import { flag, only } from "../../config/config-keys.ts";
import { qwen3VlText } from "../model-types/qwen3-vl-text.ts";
import { defineWrapped } from "../wrapped.ts";

/** Qwen 3 VL (dense). */
export const qwen3Vl = defineWrapped({
  modelType: "qwen3_vl",
  inner: [qwen3VlText],
  carried: ["visual"],
  tied: false,
  tokens: { image_token_id: 151_655, video_token_id: 151_656, vision_start_token_id: 151_652, vision_end_token_id: 151_653 },
  keys: { tie_word_embeddings: flag(false), return_dict: only(true) },
});
