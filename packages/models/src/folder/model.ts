import type { Device, Matrix } from "@mbs/contracts";
import type { WeightDtype } from "@mbs/numbers";
import type { GraphFile, PlacedMatrix, PlacedTensor } from "@mbs/onnx";
import type { Layout, Block } from "../architectures/layout.ts";
import type { Embeddings } from "../architectures/architecture.ts";
import type { RotationRecord } from "../config/rotation-record.ts";
import type { TrimmingRecord } from "../config/trimming-record.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import type { Passages } from "../forward/passages.ts";
import type { PlacedStates, StreamStates } from "../forward/streams.ts";
import type { TokenTree } from "../forward/token-tree.ts";
import type { GraphOutline } from "../onnx-model/graph-outline.ts";
import type { FileOffset } from "../onnx-model/graph-tensors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { JsonObject } from "./json-file.ts";
import type { ModelFiles } from "./model-files.ts";

/** What a block is run on, besides the states of its own stream. */
export interface BlockInputs {
  /** How many equally long segments are stacked in the rows of the states; default 1. */
  readonly batch?: number;
  /** States of the other streams that the block reads, [batch · their length, hidden]; default none. */
  readonly reads?: StreamStates;
}

/** The same, wherever their values are. */
export interface PlacedInputs extends Pick<BlockInputs, "batch"> {
  readonly reads?: PlacedStates;
}

export interface ForwardOptions {
  /** Threads for native code, at least 1. */
  readonly threads: number;
  /** What runs the blocks and the head. Default "cpu". */
  readonly device?: Device | undefined;
  /** Bytes of weights of the blocks that ran last which are kept; a larger block is kept alone. Default 64 MiB, less on a small machine. */
  readonly weights?: number;
}

/** Values to use instead of the checkpoint's, by tensor name, [rows, width] row-major. */
export type GivenWeights = ReadonlyMap<string, Float32Array>;

/**
 * What packed weights are multiplied with: states as they are, or rounded to 8 bits in blocks of at most 128 columns of a row,
 * which is faster and less exact. Dense weights are multiplied in float32 in either case.
 */
export type Activations = "float32" | "int8";

/** How to run one block. */
export interface BlockOptions extends BlockInputs {
  readonly weights?: GivenWeights;
  /** Default float32. Not with `weights`, nor for a model without packed weights. */
  readonly activations?: Activations;
}

/**
 * A block that has been computed up to some of its sites, and no further: weights that read the last of them have not been used.
 * Values that any forward pass of the same model can go on from; where a graphics processor holds them, once.
 */
export interface BlockCut {
  /** Index of the block. */
  readonly block: number;
  /** How many rounds of sites have been reached: see `siteRounds` of the model. */
  readonly round: number;
  /** The sites of these rounds. */
  readonly passed: ReadonlySet<string>;
  readonly batch: number;
  /** Tokens in a segment, of the block's own stream and of the others that it reads. */
  readonly lengths: readonly number[];
  /** What the rest of the block reads. Values on a graphics processor are freed when the walk goes on, or by `freeCut`. */
  readonly live: ReadonlyMap<string, PlacedTensor>;
  /** Tensors of the checkpoint, or given instead of them, that have been used. */
  readonly used: ReadonlySet<string>;
  /** Segments of each piece, where a graphics processor had no space for all at once: names of values then begin with its place. */
  readonly pieces?: readonly number[];
}

/** Keys and values of the tokens of a tree that have been read, of every block: opaque, and of one forward pass. */
export interface TreeCache {
  /** Tokens that have been read: the first of the tree. */
  readonly length: number;
}

/**
 * The forward pass over token trees: what texts have in common at their beginning is computed once. Its values are those of
 * whole texts, except for rounding.
 */
export interface TreeForward {
  /**
   * Texts of more tokens than this have other positions than shorter ones, from their beginning on: a tree has texts of one
   * kind. Absent where there is no such limit.
   */
  readonly longTexts?: number;
  /** States before the first block, [tokens, stateWidth]. */
  embed(tree: TokenTree): Promise<Matrix>;
  /**
   * Runs block `index` on the states of all tokens of a tree, at once: memory grows with the square of their number. Trees of
   * about 512 tokens are computed as fast, a token, as whole texts.
   *
   * @param states [tokens, stateWidth]
   * @returns the states after the block, [tokens, stateWidth]
   */
  block(index: number, states: Matrix, tree: TokenTree, options?: Pick<BlockOptions, "activations">): Promise<Matrix>;
  /** A cache that has read nothing. */
  startCache(): TreeCache;
  /**
   * Reads the tokens of a tree that a cache has not read, through all blocks: a text goes on where it was left. The values are
   * those of whole texts, except for rounding. Memory grows with the tokens that were read.
   *
   * @param tree whose first tokens are those that the cache has read
   * @returns the states after the last block of the other tokens, [new tokens, stateWidth]
   * @throws {InternalError} where texts become longer than `longTexts`, whose positions are others from their beginning on
   */
  readOn(cache: TreeCache, tree: TokenTree, options?: Pick<BlockOptions, "activations">): Promise<Matrix>;
  /**
   * Losses of the tokens that may follow rows of the states after the last block.
   *
   * @param states [rows, hidden]
   * @param next of each row the tokens whose loss is wanted
   * @returns nats: of the first row's tokens, then the second's, …
   */
  score(states: Matrix, next: readonly (readonly number[])[]): Promise<Float64Array>;
}

/** What embedding and head see: the statistics of their rows. */
export interface EmbeddingsForward {
  /**
   * States of a text before the first block, with another embedding.
   *
   * @param changes what is added to rows of the embedding, by token; [hidden] each
   */
  embedChanged(tokens: Int32Array, changes: ReadonlyMap<number, Float32Array>): Promise<Matrix>;
  /**
   * What the head multiplies.
   *
   * @param states after the last block, [rows, stateWidth]
   * @returns [rows, hidden]
   */
  headInput(states: Matrix): Promise<Matrix>;
  /**
   * How uncertain the model is of each token: Σ p·(1 - p) over rows, p the token's probability as the next one.
   *
   * @param states after the last block, [rows, stateWidth]
   * @returns [vocabulary]
   */
  spread(states: Matrix): Promise<Float64Array>;
  /** Frees the head's matrix, which is read again at its next use: it is as large as many blocks. */
  freeHead(): void;
}

/** Tokens of a vocabulary that follow each other. */
export interface TokenRange {
  readonly first: number;
  readonly count: number;
}

/** The forward pass by blocks. It keeps the weights of the blocks that it ran last, up to a fixed number of bytes. */
export interface Forward {
  /**
   * States of a stream before its first block, one row a token: [tokens, stateWidth].
   *
   * @param batch how many equally long segments are stacked, in each of which positions start at 0; default 1
   * @param stream default that of a decoder
   */
  embed(tokens: Int32Array, batch?: number, stream?: string): Promise<Matrix>;
  /**
   * Runs block `index` at once. Positions start at 0 in every segment.
   *
   * @param states [batch · T, stateWidth]
   * @returns the states after the block, [batch · T, stateWidth]
   */
  block(index: number, states: Matrix, options?: BlockOptions): Promise<Matrix>;
  /**
   * Runs block `index` at once on states that are where it runs, and leaves those that it makes there. They are freed by
   * `freeMatrix`. Absent where that is the processor.
   */
  readonly keptBlock?: (index: number, states: PlacedMatrix, inputs: PlacedInputs) => Promise<PlacedMatrix>;
  /** Begins to run block `index` site by site. @param states [batch · T, stateWidth] */
  beginBlock(index: number, states: Matrix, inputs?: BlockInputs): Promise<BlockCut>;
  /**
   * Goes on to the sites of the block's next round. The same values come out whether the rounds before were reached with these
   * weights or without those that read them.
   *
   * @returns the input of each site, [batch · T, width], T of its stream; an expert has fewer rows. Of sites that add to states,
   * those states, [batch · T, hidden]. On a graphics processor they are there until the walk goes on; where it fails, nothing is
   * left there of the cut
   */
  nextSites(
    cut: BlockCut,
    weights?: GivenWeights,
  ): Promise<{
    readonly cut: BlockCut;
    readonly inputs: ReadonlyMap<string, PlacedMatrix>;
    readonly residuals: ReadonlyMap<string, PlacedMatrix>;
  }>;
  /**
   * Goes on from the block's last sites to its end.
   *
   * @returns the states after the block: those of `block`, except for rounding
   */
  endBlock(cut: BlockCut, weights?: GivenWeights): Promise<Matrix>;
  /**
   * Loss of the tokens given the states after the last block.
   *
   * @param states [batch · T, stateWidth]
   * @param tokens length batch · N, where N is T, or T + 1 where the last token of each segment was not read
   * @param batch how many equally long segments are stacked; default 1
   * @returns nats, batch · (N - 1) values: of tokens 1 … N-1 of each segment
   * @throws {FailedPreconditionError} for an encoder, which predicts nothing
   */
  score(states: Matrix, tokens: Int32Array, batch?: number): Promise<Float64Array>;
  /** Texts that share their beginnings; absent for ONNX models, encoders and encoder-decoders. */
  readonly tree?: TreeForward;
  /** Statistics of embedding and head; absent where the model has no `embeddings`. */
  readonly embeddings?: EmbeddingsForward;
  /** Logits of every row, [rows, vocabulary]: pass one row where only the next token is wanted. @throws as `score` */
  logits(states: Matrix): Promise<Matrix>;
  /**
   * The logits of every row, of some tokens at a time; absent for ONNX models, whose graphs make those of all tokens at once.
   *
   * @param states as of `logits`
   * @param options `turned`: gives [count, rows], which takes two thirds of the time for 2 to 64 rows
   * @returns gives [rows, count], in place of what is in `into` where that is given, length rows · count
   */
  logitsByTokens?(
    states: Matrix,
    options?: { readonly turned?: boolean },
  ): Promise<(tokens: TokenRange, into?: Float32Array) => Promise<Matrix>>;
  /** Memory of the weights that it keeps, in bytes. */
  heldBytes(): number;
  close(): Promise<void>;
}

/** The stacks of blocks that a model is made of. An encoder makes states of texts and predicts no tokens: it has no losses. */
export type Stacks = "decoder" | "encoder" | "encoder-decoder";

/** What every opened model has, whatever form it is stored in. Only headers, configuration and tokenizer are kept in memory. */
export interface OpenedModel {
  /** The folder, or the GGUF file, that it was opened from: `openModel` opens it again. */
  readonly path: string;
  /** Its configuration, tokenizer and other files. */
  readonly files: ModelFiles;
  /** Paths of the files on disk that hold its weights. */
  readonly weightFiles: readonly string[];
  /** Memory that it needs to stay open, without its forward passes: about, in bytes. */
  readonly heldBytes: number;
  /** Content address of tensors, configuration and tokenizer. */
  readonly address: string;
  /** Content address of tokenizer.json. */
  readonly tokenizerAddress: string;
  /** The `model_type` of its config.json: "bloom". */
  readonly architecture: string;
  /** Of the linear weights. */
  readonly dtype: WeightDtype;
  readonly hiddenSize: number;
  /** Columns of the states, of which the first `hiddenSize` are channels: more where blocks hand on something else to later ones. */
  readonly stateWidth: number;
  readonly vocabularySize: number;
  /** How rows of its vocabulary were left out; undefined where none were. */
  readonly trimming: TrimmingRecord | undefined;
  /** Tokens in the longest text the model was made for, where its configuration says so. */
  readonly contextLength: number | undefined;
  /** Tokens of the longest text that it can read at all, where its positions are a table; else undefined. */
  readonly positionLimit: number | undefined;
  readonly blocks: readonly Block[];
  /** Embedding and head; absent for ONNX models, encoders and encoder-decoders, where they stay as they are. */
  readonly embeddings?: Embeddings | undefined;
  /**
   * The sites of a block in rounds, as its graph tells: no site depends on weights that read a site of its own round, or of a
   * later one.
   */
  siteRounds(block: number): readonly (readonly string[])[];
  readonly stacks: Stacks;
  /** Names of its streams, as texts enter them: "hidden", with "encoder" before it in an encoder-decoder. */
  readonly streams: readonly string[];
  readonly checkpoint: Checkpoint;
  /**
   * Tensors that a forward pass reads as weights. Others are masks, tables of older checkpoints or integers, and Inf may be
   * meant there.
   */
  readonly reads: ReadonlySet<string>;
  /** A tensor as graphs use it, as float32: [rows, site width] for a weight that reads a site. */
  readonly readWeight: WeightReader;
  /** What a user should know about how the model is read, a line each: mostly weights that stay as they are. */
  readonly notes: readonly string[];
  tokenizer(): Promise<Tokenizer>;
  /**
   * How texts enter the streams.
   *
   * @throws {BadDataError} where an encoder-decoder's configuration names a token that the vocabulary does not have
   */
  passages(): Promise<Passages>;
  forward(options: ForwardOptions): Promise<Forward>;
  /** Ends its use. One that a pool has lent goes back there, with its forward passes. */
  close(): Promise<void>;
}

/** Safetensors or GGUF, of a supported architecture. */
export interface ArchitectureModel extends OpenedModel {
  readonly kind: "architecture";
  /** Blocks, tensors and graphs of the architecture, with the names that tensors have in the checkpoint. */
  readonly layout: Layout;
  /** Every key of config.json that the class of transformers reads, with its default where the file leaves it out. */
  readonly settings: JsonObject;
  /** The section of config.json that the language model has, where other models stand beside it: "text_config". */
  readonly section?: string;
  /**
   * The dtype that its weights are to be written with, where they are float32 only as they are read and quantised in their
   * file (GGUF), or rotated, or trimmed of such a file; undefined where each tensor keeps its own.
   */
  readonly writtenDtype: WeightDtype | undefined;
  /** How its weights were rotated; undefined where they were not. */
  readonly rotation: RotationRecord | undefined;
}

/** A folder with an ONNX decoder, whatever its architecture. */
export interface GraphModel extends OpenedModel {
  readonly kind: "graph";
  readonly graph: GraphFile;
  readonly outline: GraphOutline;
  /** Where in the folder's files the values of each tensor begin. */
  readonly fileOffsets: ReadonlyMap<string, FileOffset>;
}

/** A Hugging Face model folder or a GGUF file, opened. */
export type Model = ArchitectureModel | GraphModel;
