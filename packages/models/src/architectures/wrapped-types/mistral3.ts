import { choice, flag, integer, only } from "../../config/config-keys.ts";
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
    projector_hidden_act: choice(["gelu"], "gelu"),
    vision_feature_layer: {
      fallback: -1,
      read: (value, fault) => (Array.isArray(value) ? value : integer(-1).read(value, fault)),
    },
    multimodal_projector_bias: flag(false),
    // the shape of a projector's tensor follows from it; all published models have 2
    spatial_merge_size: only(2),
    tie_word_embeddings: flag(true),
    return_dict: only(true),
  },
});
