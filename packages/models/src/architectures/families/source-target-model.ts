import type { ValuesOf } from "../../config/config-keys.ts";
import { count, integer, nullable } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import type { ExpectedTensor, Layout, SourceTarget } from "../layout.ts";
import { describeBlocks } from "./decoder-blocks.ts";
import { describeSourceTarget, sourceTargetBlock, sourceTargetNorm } from "./source-target-block.ts";
import type { SourceTargetBlock } from "./source-target-block.ts";

/** A stack of blocks that are alike, with the norm that ends it. */
export interface Stack {
  /** Before the number of a block: "encoder.block.". */
  readonly prefix: string;
  readonly blocks: number;
  readonly block: SourceTargetBlock;
  /** Without "weight" and "bias". */
  readonly finalNorm: string;
  /** What all blocks read and none has of its own, by role. */
  readonly shared?: readonly RoleTensor[];
  /** What the embedding of this stack's texts reads. */
  readonly embed?: readonly RoleTensor[];
}

type RoleTensor = ExpectedTensor & { readonly role: string };

/** An encoder-decoder over one embedding. */
export interface SourceTargetModel {
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly positionLimit?: number;
  readonly sourceTarget: SourceTarget;
  readonly encoder: Stack;
  readonly decoder: Stack;
  readonly prefixes: readonly string[];
  /** Whether the checkpoint must have a head. */
  readonly needsHead: boolean;
  /** Whether the checkpoint must repeat the embedding for each stack. */
  readonly needsCopies?: boolean;
  readonly unread: readonly string[];
  /** Tensors that must be zero. */
  readonly zeros?: readonly Pick<ExpectedTensor, "name" | "shape">[];
  readonly buildEmbed: Layout["buildEmbed"];
  /** What the norm after the decoder makes → what the head multiplies; default the same. */
  readonly toHead?: Layout["buildHeadInput"];
}

const keys = { vocab_size: count(0), decoder_start_token_id: nullable(integer(0)) };

/** The tokens around texts, of `decoder_start_token_id` and `eos_token_id`. @param end where the configuration names none */
export function sourceTargetTokens(
  config: Config<ValuesOf<typeof keys> & { readonly eos_token_id: unknown }>,
  end: number,
): { readonly start: number; readonly end: number } {
  const { vocab_size: vocabulary, decoder_start_token_id, eos_token_id } = config.values;
  const token = (key: string, id: unknown): number =>
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabulary
      ? id
      : config.broken(key, `a token below vocab_size ${vocabulary}`);
  return {
    start: token("decoder_start_token_id", decoder_start_token_id),
    end: token("eos_token_id", eos_token_id ?? end),
  };
}

/** Blocks, tensors and roles of one stack. */
function describeStack({ prefix, blocks, block, finalNorm, shared = [], embed = [] }: Stack) {
  const description = describeSourceTarget(block);
  const described = describeBlocks(
    prefix,
    Array.from({ length: blocks }, () => description),
  );
  const kinds = block.norm.kind === "layer" ? ["weight", "bias"] : ["weight"];
  const norm = kinds.map((kind) => ({ role: kind, name: `${finalNorm}.${kind}`, shape: [block.hidden], required: true }));
  const roles = [
    ...shared.map(({ role, name }) => [role, name] as const),
    ...norm.map(({ role, name }) => [`final-norm.${role}`, name] as const),
  ];
  return {
    ...described,
    tensors: [
      ...described.tensors,
      ...[...embed, ...shared, ...norm].map(({ name, shape, required }) => ({ name, shape, required })),
    ],
    embedRoles: embed.map(({ role, name }) => [role, name] as const),
    headRoles: new Map(norm.map(({ role, name }) => [`norm.${role}`, name])),
    blockRoles: (index: number) => new Map([...described.blockRoles(index), ...roles]),
  };
}

/** The layout of an encoder-decoder: the blocks of the encoder, then those of the decoder that reads it. */
export function sourceTargetModel(model: SourceTargetModel): Layout {
  const { vocabulary, encoder, decoder } = model;
  const { hidden } = encoder.block;
  const { blocks } = encoder;
  const [encoding, decoding] = [describeStack(encoder), describeStack(decoder)];
  const matrix = (name: string, required: boolean): ExpectedTensor => ({ name, shape: [vocabulary, hidden], required });
  const copy = (stack: string): ExpectedTensor => ({
    ...matrix(`${stack}.embed_tokens.weight`, model.needsCopies ?? false),
    copyOf: "shared.weight",
  });
  return {
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength: model.contextLength,
    ...(model.positionLimit !== undefined && { positionLimit: model.positionLimit }),
    sourceTarget: model.sourceTarget,
    blocks: [...encoding.blocks, ...decoding.blocks],
    tensors: [
      matrix("shared.weight", true),
      ...encoding.tensors,
      ...decoding.tensors,
      // Whatever the configuration says of ties, transformers takes a head that the checkpoint has.
      matrix("lm_head.weight", model.needsHead),
      copy("encoder"),
      copy("decoder"),
      ...(model.zeros ?? []).map((tensor) => ({ ...tensor, required: false, zeros: true as const })),
    ],
    unread: model.unread,
    prefixes: model.prefixes,
    embedding: "shared.weight",
    head: "lm_head.weight",
    bases: {
      stream: { reason: "it is an encoder-decoder, whose streams share one embedding" },
      values: { reason: "it is an encoder-decoder" },
    },
    embedRoles: new Map([...encoding.embedRoles, ...decoding.embedRoles]),
    headRoles: decoding.headRoles,
    blockRoles: (index) => (index < blocks ? encoding.blockRoles(index) : decoding.blockRoles(index - blocks)),
    blockKind: (index) => (index >= blocks ? "decoder" : index === blocks - 1 ? "last-encoder" : "encoder"),
    buildEmbed: model.buildEmbed,
    buildBlock: (sequence, states, index) =>
      sourceTargetBlock(sequence, states, (index < blocks ? encoder : decoder).block, index === blocks - 1),
    buildHeadInput(rows, states) {
      const normed = sourceTargetNorm(rows, states, "norm", decoder.block);
      return model.toHead === undefined ? normed : model.toHead(rows, normed);
    },
  };
}
