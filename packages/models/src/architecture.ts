import type { GraphBuilder } from "@mbs/onnx";
import type { ConfigReader } from "./config.ts";
import type { Step } from "./model.ts";

/** A tensor that an architecture reads. Its name has no prefix such as "transformer.". */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** False for tensors that may be there and are then read or knowingly left alone. */
  readonly required: boolean;
}

/** Adds a weight to a graph as an input, by the name of its role, and returns the value's name. */
export type WeightInput = (role: string, shape: readonly number[]) => string;

/** What a step's graph is to compute. Every distinct shape is one session. */
export interface StepGraphShape {
  /** Segments stacked in the rows of the states. */
  readonly batch: number;
  /** Tokens of each. */
  readonly length: number;
  /** The sites whose inputs are outputs of the graph. */
  readonly sites: readonly string[];
  /** Whether the states after the step are an output. */
  readonly states: boolean;
}

/** The names of the values that a step's graph makes. */
export interface StepGraphValues {
  readonly sites: ReadonlyMap<string, string>;
  readonly states: string | undefined;
}

/** What a model type is made of: names, shapes and graphs. The forward pass, shared by all, does the rest. */
export interface Layout {
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly contextLength: number | undefined;
  /** Tensor names as in `tensors`. */
  readonly steps: readonly Step[];
  /** All tensors that a checkpoint may have. */
  readonly tensors: readonly ExpectedTensor[];
  /** Prefixes that checkpoints of this type put before all or most names. */
  readonly prefixes: readonly string[];
  /** [vocabulary, hidden] */
  readonly embedding: string;
  /** [vocabulary, hidden] */
  readonly head: string;
  /** Role → tensor name of the graphs around the steps and of step `index`. */
  readonly embedRoles: ReadonlyMap<string, string>;
  readonly headRoles: ReadonlyMap<string, string>;
  stepRoles(index: number): ReadonlyMap<string, string>;
  /** Embedded tokens [T, hidden] → states. */
  buildEmbed(graph: GraphBuilder, rows: string, weight: WeightInput): string;
  /** States [batch · length, hidden] → states and site inputs; nothing is computed that no output needs. */
  buildStep(graph: GraphBuilder, states: string, weight: WeightInput, shape: StepGraphShape): StepGraphValues;
  /** States [T, hidden] → what the head multiplies, [T, hidden]. */
  buildHeadInput(graph: GraphBuilder, states: string, weight: WeightInput): string;
}

/** A model type: one file each, listed in architectures.ts. */
export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** @throws {BadDataError} where the configuration lacks something or asks for what is not supported */
  layout(config: ConfigReader): Layout;
}
