import { count, nullable, number } from "../../config/config-keys.ts";
import { gemma3 as gemma3Text } from "../model-types/gemma3.ts";
import { defineWrapped } from "../wrapped.ts";

/** Gemma 3 with images (4B and more). Tokens of an image see each other; text alone is as in the text model. */
export const gemma3 = defineWrapped({
  modelType: "gemma3",
  inner: [gemma3Text],
  carried: ["vision_tower", "multi_modal_projector"],
  tied: true,
  tokens: { boi_token_index: 255_999, eoi_token_index: 256_000, image_token_index: 262_144 },
  aliases: { boi_token_id: "boi_token_index", eoi_token_id: "eoi_token_index", image_token_id: "image_token_index" },
  keys: { mm_tokens_per_image: count(256), initializer_range: nullable(number(0.02), 0.02) },
});
