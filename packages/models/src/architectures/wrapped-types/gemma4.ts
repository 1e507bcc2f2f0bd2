import { choice, nullable, number, section } from "../../config/config-keys.ts";
import { gemma4 as gemma4Text } from "../model-types/gemma4.ts";
import { defineWrapped } from "../wrapped.ts";

/** Gemma 4 with images, and with sound where it has a tower for it. */
export const gemma4 = defineWrapped({
  modelType: "gemma4",
  inner: [gemma4Text],
  carried: ["vision_tower", "embed_vision", "audio_tower", "embed_audio"],
  tied: true,
  capsLogits: true,
  tokens: {
    boi_token_id: 255_999,
    eoi_token_id: 258_882,
    image_token_id: 258_880,
    video_token_id: 258_884,
    boa_token_id: 256_000,
    eoa_token_index: 258_883,
    audio_token_id: 258_881,
  },
  keys: {
    audio_config: nullable(section),
    initializer_range: nullable(number(0.02), 0.02),
    // the tower that hears has no other
    attn_implementation: nullable(choice(["eager"], "eager")),
  },
});
