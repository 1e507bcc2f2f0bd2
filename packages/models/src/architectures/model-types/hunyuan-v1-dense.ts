import { count, flag, integer, nullable, only, positive } from "../../config/config-keys.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { readRotary } from "../../config/rope-scaling.ts";
import { ropeTypes } from "../../config/rope-types.ts";
import { defineArchitecture } from "../architecture.ts";
import type { HeadNorms } from "../families/gated-block.ts";
import { gatedKeys, hiddenAct, outerRope, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

const headNorms: HeadNorms = { query: "self_attn.query_layernorm", key: "self_attn.key_layernorm", of: "turned head" };

/** Hunyuan, dense: a Llama whose query and key heads are normed after they are turned. @see https://github.com/Tencent-Hunyuan/Hunyuan-7B */
export const hunyuanV1Dense = defineArchitecture({
  modelType: "hunyuan_v1_dense",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    vocab_size: count(290_943),
    rms_norm_eps: positive(1e-5),
    attention_bias: flag(false),
    pad_token_id: { ...commonKeys.pad_token_id, fallback: 0 },
    // not read by the forward pass
    eod_token_id: nullable(integer(3), 3),
    pretraining_tp: integer(1),
    // of configurations on the Hub; transformers has it this way alone
    use_qk_norm: only(true),
    use_cla: only(false),
    mlp_bias: only(false),
  },
  layout(config) {
    const { hidden_act: activation, attention_bias: attention, head_dim: size } = config.values;
    requireFull(config);
    if (size === null) config.broken("head_dim", "a whole number, at least 1: transformers does not derive it");
    const types = { ...ropeTypes, dynamic: "alpha" } as const;
    const rotary = (headSize: number) => readRotary(config, { ...outerRope(config), types, headSize });
    return gatedDecoder({
      ...readGated(config, { activation, rotary }),
      headNorms,
      bias: { qkv: attention, output: attention, mlp: false },
    });
  },
});
