import type { Activation } from "../../graph/activations.ts";
import type { Rotary } from "../../graph/rotary.ts";
import { blockLinear, normVectors } from "./decoder-blocks.ts";
import type { BlockDescription, BlockLinear } from "./decoder-blocks.ts";
import { expertBlock, expertLinears } from "./gated-experts.ts";
import type { ExpertLinears, Experts } from "./gated-experts.ts";

/** What attention does in one kind of block. */
export interface BlockKind {
  /** "" where all blocks are alike. */
  readonly name: string;
  readonly rotary: Rotary;
  /** Of queries, where they turn otherwise than keys. */
  readonly queryRotary?: Rotary;
  readonly window: number | undefined;
}

/** A decoder of the Llama family: RMS norms before attention and a gated MLP, rotary positions, grouped keys. */
export interface GatedDecoder {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly contextLength: number | undefined;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly activation: Activation;
  /** In place of one MLP, in every block. */
  readonly experts: Experts | undefined;
  /** Of each block. */
  readonly kinds: readonly BlockKind[];
  readonly norm: { readonly epsilon: number; readonly plusOne: boolean };
  /** Which linear layers have a bias. */
  readonly bias: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Query, key and value in one matrix, gate and up in another. */
  readonly fused: boolean;
  /** Norms of each query and key head. */
  readonly headNorms: boolean;
  /** Norms after attention and MLP too; the norm before the MLP then has another name. */
  readonly outerNorms: boolean;
  /** Factor on query · key. */
  readonly scale: number;
  readonly softcap: number | undefined;
  readonly embeddingScale: number;
  /** Factor on what attention and MLP add to the states. */
  readonly residualScale: number;
  /** Factor on the logits, before their soft cap. */
  readonly logitScale: number;
  readonly logitSoftcap: number | undefined;
  /** Whether the head is the embedding. */
  readonly tied: boolean;
}

/** The linear layers of a block by their outputs. Fused query, key and value, or gate and up, are one layer. */
export interface GatedLinears {
  readonly qkv: readonly BlockLinear[];
  readonly output: BlockLinear;
  readonly up: readonly BlockLinear[];
  readonly down: BlockLinear;
  /** In place of `up` and `down`, where there are any. */
  readonly experts: ExpertLinears | undefined;
}

/** The linear layers of every block of a decoder. */
export function gatedLinears(decoder: GatedDecoder): GatedLinears {
  const { hidden, heads, kvHeads, headSize, inner, bias, fused } = decoder;
  const [query, keys] = [heads * headSize, kvHeads * headSize];
  return {
    qkv: fused
      ? [blockLinear("qkv", "self_attn.qkv_proj", query + 2 * keys, hidden, bias.qkv)]
      : [
          blockLinear("query", "self_attn.q_proj", query, hidden, bias.qkv),
          blockLinear("key", "self_attn.k_proj", keys, hidden, bias.qkv),
          blockLinear("value", "self_attn.v_proj", keys, hidden, bias.qkv),
        ],
    output: blockLinear("output", "self_attn.o_proj", hidden, query, bias.output),
    up: fused
      ? [blockLinear("gate-up", "mlp.gate_up_proj", 2 * inner, hidden, bias.mlp)]
      : [
          blockLinear("gate", "mlp.gate_proj", inner, hidden, bias.mlp),
          blockLinear("up", "mlp.up_proj", inner, hidden, bias.mlp),
        ],
    down: blockLinear("down", "mlp.down_proj", hidden, inner, bias.mlp),
    experts: decoder.experts && expertLinears(decoder.experts, hidden),
  };
}

/** The tensors and sites of a block. */
export function describeGated(decoder: GatedDecoder, { qkv, output, up, down, experts }: GatedLinears): BlockDescription {
  const { hidden, headSize, headNorms, outerNorms } = decoder;
  const norm = (role: string, name: string, size = hidden) => normVectors(role, name, size, false);
  const normedBy = (role: string) => ({ role, offset: decoder.norm.plusOne ? 1 : 0 });
  const routed = decoder.experts && experts && expertBlock(decoder.experts, experts, hidden);
  return {
    sites: [
      { name: "attention-qkv", linears: qkv, norm: normedBy("norm1") },
      { name: "attention-output", linears: [output] },
      ...(routed?.sites ?? [
        { name: "mlp-up", linears: up, norm: normedBy("norm2") },
        { name: "mlp-down", linears: [down] },
      ]),
    ],
    others: [
      ...(routed?.others ?? []),
      ...norm("norm1", "input_layernorm"),
      ...(headNorms
        ? [...norm("query-norm", "self_attn.q_norm", headSize), ...norm("key-norm", "self_attn.k_norm", headSize)]
        : []),
      ...(outerNorms
        ? [
            ...norm("attention-norm", "post_attention_layernorm"),
            ...norm("norm2", "pre_feedforward_layernorm"),
            ...norm("mlp-norm", "post_feedforward_layernorm"),
          ]
        : norm("norm2", "post_attention_layernorm")),
    ],
    unread: ["self_attn.rotary_emb.inv_freq"],
  };
}
