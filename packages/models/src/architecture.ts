import type { ConfigReader } from "./config.ts";
import type { Step } from "./model.ts";
import type { SourceTarget } from "./passages.ts";
import type { EmbedGraph, RowGraph, SequenceGraph } from "./sequence-graph.ts";

/** A tensor that an architecture reads. Its name has no prefix such as "transformer.". */
export interface ExpectedTensor {
  readonly name: string;
  /** As graphs use it: [rows, columns] for a linear weight. */
  readonly shape: readonly number[];
  /** False for tensors that may be there and are then read or knowingly left alone. */
  readonly required: boolean;
  /** True where a checkpoint stores it as [columns, rows]. */
  readonly transposed?: boolean;
}

/** The names of the values that a step's graph makes. */
export interface StepGraphValues {
  /** Input of each of the step's sites, [rows, width]. */
  readonly sites: ReadonlyMap<string, string>;
  /** The states after the step. */
  readonly states: string;
}

/** What a model type is made of: names, shapes and graphs. The forward pass and the exporters, shared by all, do the rest. */
export interface Layout {
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly contextLength: number | undefined;
  /** Tokens of the longest text that it can read, where positions are rows of a table; absent where they are computed. */
  readonly positionLimit?: number;
  /** What an encoder-decoder puts around its texts; absent in a decoder. */
  readonly sourceTarget?: SourceTarget;
  /** Tensor names as in `tensors`. */
  readonly steps: readonly Step[];
  /** All tensors that a checkpoint may have. */
  readonly tensors: readonly ExpectedTensor[];
  /** Names of tensors that older checkpoints hold without being weights, such as masks: they are let pass. */
  readonly unread: readonly string[];
  /** Prefixes that checkpoints of this type put before all or most names. */
  readonly prefixes: readonly string[];
  /** [vocabulary, hidden] */
  readonly embedding: string;
  /** [vocabulary, hidden]; the embedding serves where this is not required and the checkpoint has none. */
  readonly head: string;
  /** Role → tensor name of the graphs around the steps and of step `index`. */
  readonly embedRoles: ReadonlyMap<string, string>;
  readonly headRoles: ReadonlyMap<string, string>;
  stepRoles(index: number): ReadonlyMap<string, string>;
  /** Steps of one kind have the same graph: "" where all are alike, "local" or "global" where attention differs. */
  stepKind(index: number): string;
  /** Embedded tokens [rows, hidden] → states. */
  buildEmbed(embed: EmbedGraph, rows: string): string;
  /** States [rows, hidden] → states and site inputs. A graph leaves out what none of its outputs needs. */
  buildStep(sequence: SequenceGraph, states: string, index: number): StepGraphValues;
  /** States [rows, hidden] → what the head multiplies, [rows, hidden]. */
  buildHeadInput(rows: RowGraph, states: string): string;
  /** What the head made, [rows, vocabulary] → logits, where they are not the same. */
  buildLogits?(rows: RowGraph, products: string): string;
}

/** A model type: one file each, listed in architectures.ts. */
export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** @throws {BadDataError} where the configuration lacks something or asks for what is not supported */
  layout(config: ConfigReader): Layout;
}
