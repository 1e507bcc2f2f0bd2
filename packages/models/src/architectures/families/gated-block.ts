import type { Rotary } from "../../graph/rotary.ts";
import { blockLinear, normVectors } from "./decoder-blocks.ts";
import type { BlockActivation, BlockDescription, BlockLinear, BlockSite } from "./decoder-blocks.ts";
import { expertBlock, expertLinears } from "./gated-experts.ts";
import type { ExpertLinears, Experts } from "./gated-experts.ts";

/** What attention does in one kind of block. */
export interface BlockKind {
  /** "" where all blocks are alike. */
  readonly name: string;
  readonly rotary: Rotary;
  readonly window: number | undefined;
}

/** Nothing turns: a kind of block without positions. */
export const still: Rotary = { frequencies: new Float32Array(0) };

/** Norms of each query and key head, by their names in a block. */
export interface HeadNorms {
  readonly query: string;
  readonly key: string;
  /** Whether heads are turned before they are normed. */
  readonly afterRotation: boolean;
}

/** The names that most types have. */
export const usualHeadNorms: HeadNorms = { query: "self_attn.q_norm", key: "self_attn.k_norm", afterRotation: false };

/**
 * Where a block norms states: what attention and MLP read, what they make, or both; or attention and MLP read the same normed
 * states, and what both make is added to the states.
 */
export type NormPlaces = "before" | "after" | "around" | "shared";

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
  readonly activation: BlockActivation;
  /** Whether the activation of one matrix's product multiplies that of another. */
  readonly gated: boolean;
  /** In place of one MLP, in every block. */
  readonly experts: Experts | undefined;
  /** Of each block. */
  readonly kinds: readonly BlockKind[];
  /** All norms: RMS norms, or layer norms without biases where they are `centred`. */
  readonly norm: { readonly epsilon: number; readonly plusOne: boolean; readonly centred: boolean };
  readonly norms: NormPlaces;
  /** Which linear layers have a bias. */
  readonly bias: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Query, key and value in one matrix, gate and up in another. */
  readonly fused: boolean;
  readonly headNorms: HeadNorms | undefined;
  /** Whether the two elements that turn together are neighbours in a head, not half a head apart. */
  readonly neighbours: boolean;
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
  const { hidden, heads, kvHeads, headSize, inner, bias, fused, gated } = decoder;
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
          ...(gated ? [blockLinear("gate", "mlp.gate_proj", inner, hidden, bias.mlp)] : []),
          blockLinear("up", "mlp.up_proj", inner, hidden, bias.mlp),
        ],
    down: blockLinear("down", "mlp.down_proj", hidden, inner, bias.mlp),
    experts: decoder.experts && expertLinears(decoder.experts, hidden),
  };
}

/** What the norms of a block are called, by their roles. */
const normNames: Readonly<Record<NormPlaces, Readonly<Record<string, string>>>> = {
  before: { norm1: "input_layernorm", norm2: "post_attention_layernorm" },
  after: { "attention-norm": "post_attention_layernorm", "mlp-norm": "post_feedforward_layernorm" },
  around: {
    norm1: "input_layernorm",
    "attention-norm": "post_attention_layernorm",
    norm2: "pre_feedforward_layernorm",
    "mlp-norm": "post_feedforward_layernorm",
  },
  shared: { norm1: "input_layernorm" },
};

/** What query, key and value read; where the norm is shared, gate and up read it too. */
export const firstSite = (norms: NormPlaces): string => (norms === "shared" ? "attention-qkv-mlp-up" : "attention-qkv");

/** The tensors and sites of a block. */
export function describeGated(decoder: GatedDecoder, { qkv, output, up, down, experts }: GatedLinears): BlockDescription {
  const { hidden, headSize, headNorms, norms, activation } = decoder;
  const norm = (role: string, name: string, size = hidden) => normVectors(role, name, size, false);
  const normedBy = (role: string): Pick<BlockSite, "norm"> =>
    norms === "after" ? {} : { norm: { role, offset: decoder.norm.plusOne ? 1 : 0 } };
  const routed = decoder.experts && experts && expertBlock(decoder.experts, experts, hidden);
  const isShared = norms === "shared";
  return {
    sites: [
      { name: firstSite(norms), linears: isShared ? [...qkv, ...up] : qkv, ...normedBy("norm1") },
      { name: "attention-output", linears: [output] },
      ...(routed?.sites ?? [
        ...(isShared ? [] : [{ name: "mlp-up", linears: up, ...normedBy("norm2") }]),
        { name: "mlp-down", linears: [down] },
      ]),
    ],
    others: [
      ...(routed?.others ?? []),
      ...activation.tensors,
      ...(headNorms === undefined
        ? []
        : [...norm("query-norm", headNorms.query, headSize), ...norm("key-norm", headNorms.key, headSize)]),
      ...Object.entries(normNames[norms]).flatMap(([role, name]) => norm(role, name)),
    ],
    unread: ["self_attn.rotary_emb.inv_freq"],
  };
}
