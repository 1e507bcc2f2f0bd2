import { anything, count, flag, text } from "../../config/config-keys.ts";
import { ministral3 } from "../model-types/ministral3.ts";
import { mistral } from "../model-types/mistral.ts";
import { defineWrapped } from "../wrapped.ts";

/** Mistral Small 3.1 and 3.2, Ministral 3. */
export const mistral3 = defineWrapped({
  modelType: "mistral3",
  inner: [mistral, ministral3],
  carried: ["vision_tower", "multi_modal_projector"],
  tied: true,
  tokens: { image_token_index: 10 },
  aliases: { image_token_id: "image_token_index" },
  keys: {
    projector_hidden_act: text("gelu"),
    vision_feature_layer: { ...anything, fallback: -1 },
    multimodal_projector_bias: flag(false),
    spatial_merge_size: count(2),
  },
});
