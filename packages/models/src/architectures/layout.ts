import type { Bases } from "./bases.ts";
import type { EmbedGraph, RowGraph, SequenceGraph } from "../graph/sequence-graph.ts";

/** One weight that reads a site: a linear layer of the block. */
export interface SiteTensor {
  /** Name in the checkpoint, for example "h.0.mlp.dense_h_to_4h.weight". */
  readonly tensor: string;
  /** Output features. */
  readonly rows: number;
  /** True where the checkpoint stores it as [site width, rows] instead of [rows, site width]. */
  readonly transposed?: boolean;
}

/** A vector that multiplies what a site reads, channel by channel, or is added to it. */
export interface ScaledTensor {
  readonly tensor: string;
  /** What the architecture adds to the stored values: 1 for Gemma's norms. */
  readonly offset: number;
}

/** A tensor inside a block that linear layers read. */
export interface Site {
  /** "attention-qkv", "attention-output", "mlp-up" or "mlp-down" for a decoder block. */
  readonly name: string;
  /** The stream that the input belongs to; default the block's own. */
  readonly stream?: string;
  /** Input features. */
  readonly width: number;
  readonly weights: readonly SiteTensor[];
  /**
   * Weight and bias of the norm whose output this site alone reads: dividing them divides the site's input.
   * Absent where there is no such norm.
   */
  readonly scaledBy?: readonly ScaledTensor[];
  /**
   * The output of the site's one weight, times the factor, is added to states. Absent where it is not, or goes through a norm
   * first, or where what another site makes is added to the same states later.
   */
  readonly adds?: { readonly factor: number };
}

/** A part of the model between two states: a block of a decoder or an encoder. */
export interface Block {
  /** "h.0", "h.1", … */
  readonly name: string;
  /** The stream whose states it changes: "hidden" for a decoder. */
  readonly stream: string;
  /** The other streams that it reads. */
  readonly reads: readonly string[];
  /** In the order in which the block computes them. */
  readonly sites: readonly Site[];
}

/** A tensor that an architecture reads. Its name has no prefix such as "transformer.". */
export interface ExpectedTensor {
  readonly name: string;
  /** As graphs use it: [rows, columns] for a linear weight. */
  readonly shape: readonly number[];
  /** False for tensors that a checkpoint may leave out. */
  readonly required: boolean;
  /** True where a checkpoint stores it as [columns, rows]. */
  readonly transposed?: boolean;
  /** The tensor that it repeats; a checkpoint in which it differs is refused. */
  readonly copyOf?: string;
  /** Whether all of its values must be 0, so that nothing reads it: a checkpoint with others is refused. */
  readonly zeros?: true;
}

/** The names of the values that a block's graph makes. */
export interface BlockGraphValues {
  /** Input of each of the block's sites, [rows, width]. */
  readonly sites: ReadonlyMap<string, string>;
  /** What a site's output is added to, of those that {@link Site.adds} at least: [rows, hidden]. */
  readonly residuals: ReadonlyMap<string, string>;
  /** The states after the block. */
  readonly states: string;
}

/** A tensor that some checkpoints store instead of several: it holds their values, one tensor after the other. */
export interface JoinedTensor {
  /** Without a prefix, as all names of a layout. */
  readonly name: string;
  /** Names of the layout's tensors that it holds, in order. */
  readonly parts: readonly string[];
  /** Present where programs know the tensor as a whole alone, so that it is written as it was. */
  readonly whole?: WholeForm;
}

/** The form of a tensor of several matrices, or of several vectors. */
export interface WholeForm {
  /** Consecutive parts in each of them: a matrix is [parts · rows, columns], a vector [parts · rows]. */
  readonly parts: number;
  /** Whether rows of these parts take turns and matrices are stored as [columns, parts · rows]; of vectors values take turns. */
  readonly woven: boolean;
}

/** The tokens that an encoder-decoder puts around its texts. */
export type SourceTarget = {
  /** What ends source and target. */
  readonly end: number;
} & (
  | {
      /** What the decoder reads before the target. */
      readonly start: number;
      /** Where source and target begin with a token of their language, which the tokenizer names. */
      readonly languages?: "before";
    }
  /** The token of a language follows the end, and the decoder reads that of the target's language before the target. */
  | { readonly languages: "behind" }
);

/**
 * What each block reads of a token by itself, beside the states: made of the token's row of the embedding and of another table,
 * of which each block has `width` columns. It is computed where a block runs, since that of all blocks is wider than the states.
 */
export interface TokenInput {
  /** Column of the states that holds the token's id. */
  readonly column: number;
  /** Columns of the input. */
  readonly width: number;
  /** [vocabulary, blocks · width] */
  readonly table: string;
  /** The key of config.json that says how many rows the table has. */
  readonly rowsKey: string;
  /** [blocks · width, hidden]: the rows of a block are the weight `projection.weight` of the graph. */
  readonly projection: string;
  /** Role → tensor name, of further weights that all blocks share. */
  readonly roles: ReadonlyMap<string, string>;
  /**
   * @param embedded rows of the embedding as they are stored, [tokens, hidden]
   * @param own the block's columns of the table, [tokens, width]
   * @returns [tokens, width]
   */
  build(rows: RowGraph, embedded: string, own: string): string;
}

/** What an encoder has and other models have not. */
export interface EncoderLayout {
  /** The token that fills up shorter texts of a batch, where positions are counted from its id: it must not get another one. */
  readonly padding?: number;
}

/** What a model type is made of: names, shapes and graphs. The forward pass and the exporters, shared by all, do the rest. */
export interface Layout {
  readonly hiddenSize: number;
  /**
   * Columns of the states that go from block to block, where behind the `hiddenSize` channels there is more that later blocks
   * read. Default `hiddenSize`.
   */
  readonly stateWidth?: number;
  readonly tokenInput?: TokenInput;
  readonly vocabularySize: number;
  readonly contextLength: number | undefined;
  /**
   * Tokens of the longest text that it can read, where positions are rows of a table; absent where they are computed. Without
   * the two tokens that an encoder, or an encoder-decoder, has around it.
   */
  readonly positionLimit?: number;
  /** Texts of more tokens than this turn by other frequencies, at all their positions; absent where all turn by the same. */
  readonly longTexts?: number;
  /**
   * Whether some blocks keep a state that each token changes in the place of keys and values. Then there is neither a pass over
   * token trees nor a cache: a text that grows is read again.
   */
  readonly keepsState?: true;
  /** What an encoder-decoder puts around its texts; absent in a decoder. */
  readonly sourceTarget?: SourceTarget;
  /**
   * Of an encoder; absent in other models. Its states after the last block are what it makes of a text: it has no head, predicts
   * no tokens, and every token sees all others.
   */
  readonly encoder?: EncoderLayout;
  /** Tensor names as in `tensors`. */
  readonly blocks: readonly Block[];
  /** All tensors that a checkpoint may have. */
  readonly tensors: readonly ExpectedTensor[];
  /** Names of tensors in older checkpoints that are no weights, such as masks: they are ignored. */
  readonly unread: readonly string[];
  /** Tensors that newer checkpoints may store joined. */
  readonly joined?: readonly JoinedTensor[];
  /** Prefixes that checkpoints of this type put before all or most names. */
  readonly prefixes: readonly string[];
  /** Modules beside a language model that no graph reads: whatever tensors they have are carried as they are. */
  readonly carried?: readonly string[];
  /** [vocabulary, hidden] */
  readonly embedding: string;
  /** [vocabulary, hidden]; where it is not required and the checkpoint has none, the embedding is the head. That of an encoder is never read. */
  readonly head: string;
  /** The name of a head of its own, where the checkpoint has none, or one that repeats the embedding. */
  readonly ownHead?: string;
  /** Where its weights can be rotated. The head keeps its name where the checkpoint has none. */
  readonly bases: Bases;
  /** Role (the name of a weight input) → tensor name: of the embedding's graph, of the head's, and of block `index`. */
  readonly embedRoles: ReadonlyMap<string, string>;
  readonly headRoles: ReadonlyMap<string, string>;
  blockRoles(index: number): ReadonlyMap<string, string>;
  /** Blocks of one kind have the same graph: "" where all are alike, "local" or "global" where attention differs. */
  blockKind(index: number): string;
  /** Embedded tokens [rows, hidden] → states [rows, stateWidth]. */
  buildEmbed(embed: EmbedGraph, rows: string): string;
  /** States [rows, stateWidth] → states and site inputs. A graph leaves out what none of its outputs needs. */
  buildBlock(sequence: SequenceGraph, states: string, index: number): BlockGraphValues;
  /** States [rows, stateWidth] → what the head multiplies, [rows, hidden]. */
  buildHeadInput(rows: RowGraph, states: string): string;
  /** What the head made of some tokens, in either order, → logits, each by itself, where they are not the same. */
  buildLogits?(rows: RowGraph, products: string): string;
}
