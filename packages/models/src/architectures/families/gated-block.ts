import type { Rotary } from "../../graph/rotary.ts";
import { convolutionTensors } from "./convolution-tensors.ts";
import { blockLinear, normVectors } from "./decoder-blocks.ts";
import type { BlockActivation, BlockDescription, BlockLinear, BlockSite } from "./decoder-blocks.ts";
import { expertBlock, expertLinears } from "./gated-experts.ts";
import type { ExpertLinears, Experts } from "./gated-experts.ts";
import { linearAttentionInputs, linearAttentionOutput, linearAttentionTensors } from "./linear-attention.ts";
import type { LinearAttention } from "./linear-attention.ts";

/** What attention does in one kind of block, and in what else it differs from the decoder. */
export interface BlockKind {
  /** "" where all blocks are alike. */
  readonly name: string;
  readonly rotary: Rotary;
  /** Of queries, where they turn otherwise than keys. */
  readonly queryRotary?: Rotary;
  readonly window: number | undefined;
  /** Sizes of its own. */
  readonly sizes?: Partial<Pick<GatedDecoder, "kvHeads" | "headSize" | "inner">>;
  /** Whether what makes the keys makes the values too. */
  readonly keysAreValues?: boolean;
  /** Its keys and values where blocks share them. */
  readonly shared?: SharedKeys;
  /** In the place of attention to tokens. */
  readonly linear?: LinearAttention;
  /** In the place of attention. */
  readonly convolution?: ShortConvolution;
}

/** What a block with a short convolution makes of each token and those just before it. Its layers are `conv.in_proj` and `conv.out_proj`. */
export interface ShortConvolution {
  /** Tokens that it sees: itself, and those before it. */
  readonly width: number;
  /** Whether the convolution and both layers have biases. */
  readonly bias: boolean;
}

/** Columns of the states with the keys of the last block that made some, turned already, and behind them its values. */
export interface SharedKeys {
  readonly first: number;
  /** Whether the block has no layers for keys and values, and attends to those of an earlier one; others write theirs. */
  readonly reads: boolean;
}

/** What a block adds to its states for each token by itself, whatever is before it: a gated MLP whose gate reads the states. */
export interface PerLayerInput {
  readonly width: number;
  /** Column of the states that holds the token: the last one. Between it and the channels blocks may share keys. */
  readonly column: number;
}

/** Nothing turns: a kind of block without positions. */
export const still: Rotary = { frequencies: new Float32Array(0) };

/** Norms of queries and keys, by their names in a block. */
export interface HeadNorms {
  readonly query: string;
  readonly key: string;
  /** What is normed together: each head before it is turned, each head after it, or all heads of a token before they are turned. */
  readonly of: "head" | "turned head" | "all heads";
}

/** The names that most types have. */
export const usualHeadNorms: HeadNorms = { query: "self_attn.q_norm", key: "self_attn.k_norm", of: "head" };

/** The norms of states, by their names in a block; one that has no name is not there. */
export interface StateNorms {
  /** Of what attention and the MLP read. */
  readonly beforeAttention?: string;
  readonly beforeMlp?: string;
  /** Of what they make. */
  readonly afterAttention?: string;
  readonly afterMlp?: string;
}

/** The names that most types have. */
export const normsBefore: StateNorms = { beforeAttention: "input_layernorm", beforeMlp: "post_attention_layernorm" };

/** Those of types that norm only what attention and the MLP make. */
export const normsAfter: StateNorms = { afterAttention: "post_attention_layernorm", afterMlp: "post_feedforward_layernorm" };

/** Names of linear layers, in a block, and of the last norm. */
export interface GatedNames {
  readonly output: string;
  readonly gate: string;
  readonly up: string;
  readonly down: string;
  readonly lastNorm: string;
}

/** The names that most types have. */
export const usualNames: GatedNames = {
  output: "self_attn.o_proj",
  gate: "mlp.gate_proj",
  up: "mlp.up_proj",
  down: "mlp.down_proj",
  lastNorm: "norm",
};

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
  /** In place of one MLP or beside it, in every block. */
  readonly experts: Experts | undefined;
  /** Of each block. */
  readonly kinds: readonly BlockKind[];
  /** All norms: RMS norms, or layer norms without biases where they are `centred`. */
  readonly norm: { readonly epsilon: number; readonly plusOne: boolean; readonly centred: boolean };
  readonly norms: StateNorms;
  readonly names: GatedNames;
  /** Whether the MLP reads what attention reads, and what both make is added to the states. */
  readonly parallel: boolean;
  /** Which linear layers have a bias. */
  readonly bias: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Query, key and value in one matrix, gate and up in another. */
  readonly fused: boolean;
  readonly headNorms: HeadNorms | undefined;
  /** Whether query has as many rows again, behind the own ones of each head, of a gate by which the head's context is multiplied. */
  readonly outputGate: boolean;
  /** Whether each head has a score of its own, `self_attn.sinks`, that takes a share of every softmax. */
  readonly sinks: boolean;
  /** Whether each head of the values is normed, by no weights. */
  readonly valueNorm: boolean;
  /** Whether the two elements that turn together are neighbours in a head, not half a head apart. */
  readonly neighbours: boolean;
  /** Factor on query · key. */
  readonly scale: number;
  readonly softcap: number | undefined;
  readonly embeddingScale: number;
  /** Factor on what attention and MLP add to the states. */
  readonly residualScale: number;
  readonly perLayer: PerLayerInput | undefined;
  /** A factor of each block on the states after it, by its name in the block. */
  readonly blockFactor: string | undefined;
  /** Factor on the logits, before their soft cap. */
  readonly logitScale: number;
  readonly logitSoftcap: number | undefined;
  /** Whether the head is the embedding. */
  readonly tied: boolean;
}

/** The linear layers of a block by their outputs. Fused query, key and value, or gate and up, are one layer. */
export interface GatedLinears {
  /** What the first site feeds: query, key and value, or the layer before a convolution. */
  readonly qkv: readonly BlockLinear[];
  /** What reads the context, or what the convolution made. */
  readonly output: BlockLinear;
  readonly up: readonly BlockLinear[];
  readonly down: BlockLinear;
  /** In place of `up` and `down`, or beside them, where there are any. */
  readonly experts: ExpertLinears | undefined;
  readonly perLayer: { readonly gate: BlockLinear; readonly output: BlockLinear } | undefined;
}

/** A decoder with the sizes of one kind of block. */
export const ofKind = (decoder: GatedDecoder, { sizes }: BlockKind): GatedDecoder => ({ ...decoder, ...sizes });

/** What mixes the tokens of a text. */
function mixingLinears(
  { hidden, heads, kvHeads, headSize, bias, fused, names, outputGate }: GatedDecoder,
  { keysAreValues, shared, convolution, linear }: BlockKind,
): Pick<GatedLinears, "qkv" | "output"> {
  if (linear !== undefined) return { qkv: linearAttentionInputs(linear, hidden), output: linearAttentionOutput(linear, hidden) };
  if (convolution !== undefined) {
    return {
      qkv: [blockLinear("conv-in", "conv.in_proj", 3 * hidden, hidden, convolution.bias)],
      output: blockLinear("conv-out", "conv.out_proj", hidden, hidden, convolution.bias),
    };
  }
  const [query, keys] = [heads * headSize, kvHeads * headSize];
  const reads = shared?.reads === true;
  return {
    qkv: fused
      ? [blockLinear("qkv", "self_attn.qkv_proj", query + 2 * keys, hidden, bias.qkv)]
      : [
          blockLinear("query", "self_attn.q_proj", outputGate ? 2 * query : query, hidden, bias.qkv),
          ...(reads ? [] : [blockLinear("key", "self_attn.k_proj", keys, hidden, bias.qkv)]),
          ...(reads || keysAreValues ? [] : [blockLinear("value", "self_attn.v_proj", keys, hidden, bias.qkv)]),
        ],
    output: blockLinear("output", names.output, hidden, query, bias.output),
  };
}

/** The linear layers of a block. @param decoder with the sizes of its kind */
export function gatedLinears(decoder: GatedDecoder, kind: BlockKind): GatedLinears {
  const { hidden, inner, bias, fused, gated, perLayer, names } = decoder;
  return {
    ...mixingLinears(decoder, kind),
    up: fused
      ? [blockLinear("gate-up", "mlp.gate_up_proj", 2 * inner, hidden, bias.mlp)]
      : [
          ...(gated ? [blockLinear("gate", names.gate, inner, hidden, bias.mlp)] : []),
          blockLinear("up", names.up, inner, hidden, bias.mlp),
        ],
    down: blockLinear("down", names.down, hidden, inner, bias.mlp),
    experts: decoder.experts && expertLinears(decoder.experts, hidden),
    perLayer: perLayer && {
      gate: blockLinear("per-layer-gate", "per_layer_input_gate", perLayer.width, hidden, false),
      output: blockLinear("per-layer-output", "per_layer_projection", hidden, perLayer.width, false),
    },
  };
}

/** What the first layers of a block read, and the one behind them; in a parallel block gate and up read the first too. */
export function mixingSites({ parallel }: GatedDecoder, { convolution }: BlockKind): readonly [first: string, second: string] {
  if (convolution !== undefined) return ["conv-in", "conv-out"];
  return [parallel ? "attention-qkv-mlp-up" : "attention-qkv", "attention-output"];
}

/** Elements of queries or keys that are normed together. @param heads of the queries or of the keys */
export const normedTogether = ({ headNorms, headSize }: GatedDecoder, heads: number): number =>
  headNorms?.of === "all heads" ? heads * headSize : headSize;

/** Layers of keys and values, and their norms, that files may have for blocks which read those of another block. */
const unreadKeys = ["k_proj.weight", "v_proj.weight", "k_norm.weight"].map((name) => `self_attn.${name}`);

/** The tensors and sites of a block. @param decoder with the sizes of its kind */
export function describeGated(
  decoder: GatedDecoder,
  { qkv, output, up, down, experts, perLayer }: GatedLinears,
  kind: BlockKind,
): BlockDescription {
  const { hidden, heads, kvHeads, norms, parallel, activation, blockFactor, sinks } = decoder;
  const { shared, convolution, linear } = kind;
  const attends = convolution === undefined && linear === undefined;
  const headNorms = attends ? decoder.headNorms : undefined;
  const reads = shared?.reads === true;
  const [first, second] = mixingSites(decoder, kind);
  const norm = (role: string, name: string | undefined, size = hidden) =>
    name === undefined ? [] : normVectors(role, name, size, false);
  const normedBy = (role: string, name: string | undefined): Pick<BlockSite, "norm"> =>
    name === undefined ? {} : { norm: { role, offset: decoder.norm.plusOne ? 1 : 0 } };
  const addsUnless = (normed: string | undefined): Pick<BlockSite, "adds"> =>
    normed === undefined ? { adds: { factor: decoder.residualScale } } : {};
  const routed = decoder.experts && experts && expertBlock(decoder.experts, experts, hidden);
  const hasMlp = routed === undefined || decoder.experts?.beside !== undefined;
  // what is not compressed of linear attention reads that norm too
  const ofFirst = linear === undefined ? norms.beforeAttention : undefined;
  return {
    sites: [
      { name: first, linears: parallel ? [...qkv, ...up] : qkv, ...normedBy("norm1", ofFirst) },
      // what a norm stands behind is added in another size; both of a parallel block are added to the same states
      { name: second, linears: [output], ...(!parallel && addsUnless(norms.afterAttention)) },
      ...(hasMlp && !parallel ? [{ name: "mlp-up", linears: up, ...normedBy("norm2", norms.beforeMlp) }] : []),
      ...(hasMlp ? [{ name: "mlp-down", linears: [down], ...(routed === undefined && addsUnless(norms.afterMlp)) }] : []),
      ...(routed?.sites ?? []),
      ...(perLayer === undefined
        ? []
        : [
            { name: "per-layer-gate", linears: [perLayer.gate] },
            { name: "per-layer-output", linears: [perLayer.output] },
          ]),
    ],
    others: [
      ...(routed?.others ?? []),
      ...activation.tensors,
      ...(linear === undefined ? [] : linearAttentionTensors(linear, hidden)),
      ...(convolution === undefined ? [] : convolutionTensors("conv", "conv.conv", { channels: hidden, ...convolution })),
      ...(sinks && attends ? [{ role: "sinks", name: "self_attn.sinks", shape: [heads] }] : []),
      ...norm("query-norm", headNorms?.query, normedTogether(decoder, heads)),
      ...norm("key-norm", reads ? undefined : headNorms?.key, normedTogether(decoder, kvHeads)),
      ...norm("norm1", norms.beforeAttention),
      ...norm("attention-norm", norms.afterAttention),
      ...norm("norm2", norms.beforeMlp),
      ...norm("mlp-norm", norms.afterMlp),
      ...norm("per-layer-norm", perLayer && "post_per_layer_input_norm"),
      ...(blockFactor === undefined ? [] : [{ role: "block-factor", name: blockFactor, shape: [1] }]),
    ],
    unread: ["self_attn.rotary_emb.inv_freq", ...(reads ? unreadKeys : [])],
  };
}
