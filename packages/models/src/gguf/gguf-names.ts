/** What llama.cpp calls a model type, and its tensors. */
export interface GgufNames {
  /** `general.architecture`: "llama". */
  readonly architecture: string;
  /**
   * GGUF → Hugging Face, without the prefix that checkpoints put before all names ("model.") and without ".weight" or ".bias".
   * `{block}` is the number of a block. A name with `{expert}` stands for one tensor an expert, which GGUF stores in one tensor
   * [experts, rows, columns].
   */
  readonly tensors: ReadonlyMap<string, string>;
}

type Pairs = readonly (readonly [gguf: string, huggingFace: string])[];

/** Puts a prefix before both sides. */
const within = (gguf: string, huggingFace: string, pairs: Pairs): Pairs =>
  pairs.map(([one, other]) => [`${gguf}${one}`, `${huggingFace}${other}`]);

const attention: Pairs = [
  ["attn_q", "self_attn.q_proj"],
  ["attn_k", "self_attn.k_proj"],
  ["attn_v", "self_attn.v_proj"],
  ["attn_output", "self_attn.o_proj"],
];

const headNorms: Pairs = [
  ["attn_q_norm", "self_attn.q_norm"],
  ["attn_k_norm", "self_attn.k_norm"],
];

const norms: Pairs = [
  ["attn_norm", "input_layernorm"],
  ["ffn_norm", "post_attention_layernorm"],
];

const outerNorms: Pairs = [
  ["attn_norm", "input_layernorm"],
  ["post_attention_norm", "post_attention_layernorm"],
  ["ffn_norm", "pre_feedforward_layernorm"],
  ["post_ffw_norm", "post_feedforward_layernorm"],
];

const gatedMlp: Pairs = [
  ["ffn_gate", "mlp.gate_proj"],
  ["ffn_up", "mlp.up_proj"],
  ["ffn_down", "mlp.down_proj"],
];

/** A decoder of the Llama family by the parts of its blocks. */
const gated = (architecture: string, ...parts: readonly Pairs[]): GgufNames => ({
  architecture,
  tensors: new Map([
    ["token_embd", "embed_tokens"],
    ...within("blk.{block}.", "layers.{block}.", parts.flat()),
    ["output_norm", "norm"],
    ["output", "lm_head"],
  ]),
});

const llama = gated("llama", norms, attention, gatedMlp);

const mixtral = gated("llama", norms, attention, [
  ["ffn_gate_inp", "block_sparse_moe.gate"],
  ["ffn_gate_exps", "block_sparse_moe.experts.{expert}.w1"],
  ["ffn_down_exps", "block_sparse_moe.experts.{expert}.w2"],
  ["ffn_up_exps", "block_sparse_moe.experts.{expert}.w3"],
]);

const qwen2Moe = gated("qwen2moe", norms, attention, [
  ["ffn_gate_inp", "mlp.gate"],
  ["ffn_gate_exps", "mlp.experts.{expert}.gate_proj"],
  ["ffn_down_exps", "mlp.experts.{expert}.down_proj"],
  ["ffn_up_exps", "mlp.experts.{expert}.up_proj"],
  ["ffn_gate_inp_shexp", "mlp.shared_expert_gate"],
  ["ffn_gate_shexp", "mlp.shared_expert.gate_proj"],
  ["ffn_down_shexp", "mlp.shared_expert.down_proj"],
  ["ffn_up_shexp", "mlp.shared_expert.up_proj"],
]);

const phi3 = gated("phi3", norms, [
  ["attn_qkv", "self_attn.qkv_proj"],
  ["attn_output", "self_attn.o_proj"],
  // gate and up in one
  ["ffn_up", "mlp.gate_up_proj"],
  ["ffn_down", "mlp.down_proj"],
]);

const bloom: GgufNames = {
  architecture: "bloom",
  tensors: new Map([
    ["token_embd", "word_embeddings"],
    ["token_embd_norm", "word_embeddings_layernorm"],
    ...within("blk.{block}.", "h.{block}.", [
      ...norms,
      ["attn_qkv", "self_attention.query_key_value"],
      ["attn_output", "self_attention.dense"],
      ["ffn_up", "mlp.dense_h_to_4h"],
      ["ffn_down", "mlp.dense_4h_to_h"],
    ]),
    ["output_norm", "ln_f"],
    ["output", "lm_head"],
  ]),
};

const gpt2: GgufNames = {
  architecture: "gpt2",
  tensors: new Map([
    ["token_embd", "wte"],
    ["position_embd", "wpe"],
    ...within("blk.{block}.", "h.{block}.", [
      ["attn_norm", "ln_1"],
      ["attn_qkv", "attn.c_attn"],
      ["attn_output", "attn.c_proj"],
      ["ffn_norm", "ln_2"],
      ["ffn_up", "mlp.c_fc"],
      ["ffn_down", "mlp.c_proj"],
    ]),
    ["output_norm", "ln_f"],
    ["output", "lm_head"],
  ]),
};

const gptNeox: GgufNames = {
  architecture: "gptneox",
  tensors: new Map([
    ["token_embd", "embed_in"],
    ...within("blk.{block}.", "layers.{block}.", [
      ...norms,
      ["attn_qkv", "attention.query_key_value"],
      ["attn_output", "attention.dense"],
      ["ffn_up", "mlp.dense_h_to_4h"],
      ["ffn_down", "mlp.dense_4h_to_h"],
    ]),
    ["output_norm", "final_layer_norm"],
    ["output", "embed_out"],
  ]),
};

/** One attention of T5. */
const t5Attention = (gguf: string, huggingFace: string): Pairs =>
  within(gguf, huggingFace, [
    ["_q", ".q"],
    ["_k", ".k"],
    ["_v", ".v"],
    ["_o", ".o"],
    ["_rel_b", ".relative_attention_bias"],
  ]);

/** The MLP of T5, gated or not: `wi` and `wi_1` never occur together. @param layer its number in the block */
const t5Mlp = (layer: number): Pairs => [
  ["ffn_norm", `layer.${layer}.layer_norm`],
  ["ffn_gate", `layer.${layer}.DenseReluDense.wi_0`],
  ["ffn_up", `layer.${layer}.DenseReluDense.wi_1`],
  ["ffn_down", `layer.${layer}.DenseReluDense.wo`],
];

const t5: GgufNames = {
  architecture: "t5",
  tensors: new Map([
    ["token_embd", "shared"],
    ...within("enc.blk.{block}.", "encoder.block.{block}.", [
      ["attn_norm", "layer.0.layer_norm"],
      ...t5Attention("attn", "layer.0.SelfAttention"),
      ...t5Mlp(1),
    ]),
    ["enc.output_norm", "encoder.final_layer_norm"],
    ...within("dec.blk.{block}.", "decoder.block.{block}.", [
      ["attn_norm", "layer.0.layer_norm"],
      ...t5Attention("attn", "layer.0.SelfAttention"),
      ["cross_attn_norm", "layer.1.layer_norm"],
      ...t5Attention("cross_attn", "layer.1.EncDecAttention"),
      ...t5Mlp(2),
    ]),
    ["dec.output_norm", "decoder.final_layer_norm"],
    ["output", "lm_head"],
  ]),
};

/** Tensor names by `model_type`, of the types that llama.cpp has; its converter for Hugging Face models is the source. */
export const ggufNames: ReadonlyMap<string, GgufNames> = new Map([
  ["bloom", bloom],
  ["gemma2", gated("gemma2", outerNorms, attention, gatedMlp)],
  ["gemma3_text", gated("gemma3", outerNorms, attention, headNorms, gatedMlp)],
  ["gpt2", gpt2],
  ["gpt_neox", gptNeox],
  ["granite", gated("granite", norms, attention, gatedMlp)],
  ["llama", llama],
  ["mistral", llama],
  ["mixtral", mixtral],
  ["mt5", t5],
  ["phi3", phi3],
  ["qwen2", gated("qwen2", norms, attention, gatedMlp)],
  ["qwen2_moe", qwen2Moe],
  ["qwen3", gated("qwen3", norms, attention, headNorms, gatedMlp)],
  ["t5", t5],
]);

/** Where a tensor of a Hugging Face checkpoint is in a GGUF file. */
export interface GgufTensorName {
  readonly name: string;
  /** Which matrix of the tensor it is, where the tensor holds those of all experts. */
  readonly expert?: number;
}

interface CompiledName {
  readonly gguf: string;
  readonly pattern: RegExp;
}

/** T5's ungated MLP has one matrix where the gated one has two, and GGUF calls it by the name of the second. */
const spellings = (huggingFace: string): readonly string[] =>
  huggingFace.endsWith(".wi_1") ? [huggingFace, huggingFace.replace(/_1$/, "")] : [huggingFace];

const compiled = new Map<GgufNames, readonly CompiledName[]>();

function compile(names: GgufNames): readonly CompiledName[] {
  const known = compiled.get(names);
  if (known !== undefined) return known;
  const made = [...names.tensors].flatMap(([gguf, huggingFace]) =>
    spellings(huggingFace).map((spelling) => {
      const source = spelling.replaceAll(".", "\\.").replace("{block}", "(?<block>\\d+)").replace("{expert}", "(?<expert>\\d+)");
      return { gguf, pattern: new RegExp(`^${source}\\.(?<kind>weight|bias)$`) };
    }),
  );
  compiled.set(names, made);
  return made;
}

/**
 * The GGUF name of a tensor.
 *
 * @param tensor name in the checkpoint: "model.layers.3.mlp.up_proj.weight"
 * @param prefixes that the checkpoint may put before names
 * @returns undefined for a tensor that GGUF does not have
 */
export function ggufTensorName(names: GgufNames, tensor: string, prefixes: readonly string[]): GgufTensorName | undefined {
  const bare = [tensor, ...prefixes.filter((prefix) => tensor.startsWith(prefix)).map((prefix) => tensor.slice(prefix.length))];
  for (const { gguf, pattern } of compile(names)) {
    for (const name of bare) {
      const { block = "", expert, kind = "" } = pattern.exec(name)?.groups ?? {};
      if (kind === "") continue;
      return { name: `${gguf.replace("{block}", block)}.${kind}`, ...(expert !== undefined && { expert: Number(expert) }) };
    }
  }
  return undefined;
}
