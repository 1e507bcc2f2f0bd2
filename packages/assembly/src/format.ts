import type { LayerSummary } from "@mbs/artifacts";
import type { HeldGrids, OptionTable, StageContext } from "@mbs/contracts";
import type { ArchitectureModel, GraphModel, Model, OutputFile, Stacks } from "@mbs/models";
import type { LayerGrid } from "./layers/layer-grid.ts";
import type { LayerPart, ScratchLayers } from "./layers/scratch-layers.ts";

/** A head that was the embedding. */
export interface OwnHead {
  readonly tensor: string;
  /** As written. */
  readonly bytes: number;
}

/** What a format makes of a model. */
export interface FormattedModel {
  /**
   * Weights, and whatever else differs from the source: a file replaces the source's of the same path (config.json).
   * Tokenizer, configuration, licences, mbs.json and the model card are added by the stage.
   */
  readonly files: readonly OutputFile[];
  /** Bytes of the compressed tensors as written, with their scales, zeros, masks and indices. */
  readonly compressedBytes: number;
  /** Bytes of embedding and head as written, by their name in the source, perhaps among others; absent where they are as large as before. */
  readonly tables?: ReadonlyMap<string, number>;
  /** The quantisation types of GGUF of the tensors that layers change, by their names in the source; absent in other formats. */
  readonly types?: ReadonlyMap<string, string>;
  /** Of the layers as written, by the names of written tensors; absent where these are all layers under their own names. */
  readonly summaries?: ReadonlyMap<string, LayerSummary>;
  /** A head that is written as a tensor of its own, where the source's is its embedding. */
  readonly ownHead?: OwnHead;
  /** Bytes of all tensors as written; absent where those that no layer changed are as large as before. */
  readonly bytes?: number;
}

/** What a solver will make of a model's weights. */
export interface PlannedGrids {
  readonly solver: string;
  readonly grids: readonly LayerGrid[];
  /** Of embedding and head; none where they stay as they are. */
  readonly embeddings: readonly LayerGrid[];
  /** The type of GGUF whose blocks the layers will hold, or the base of their type mix; absent where they hold none. */
  readonly type?: string;
}

/** What a format knows beside the model and its layers. */
export interface FormatContext extends StageContext {
  /** What the model is called. */
  readonly name: string;
}

/** A way to write a compressed model: a file or folder each, listed in formats.ts. */
export interface Format {
  /** The value of `--format`. */
  readonly name: string;
  /** The models that it holds in a way that programs run. */
  readonly stacks: readonly Stacks[];
  /**
   * The grids that it holds, best first. Without blocks of GGUF among them, layers in such are refused.
   *
   * @param options raw; the format parses them by its own table
   */
  readonly holds: (options: unknown) => readonly HeldGrids[];
  /** Whether a model that no layer changes can be written: it is another kind of file all the same. */
  readonly withoutLayers?: true;
  /** Whether one file holds configuration and tokenizer too: of the source's other files only licences are copied then. */
  readonly isOneFile?: true;
  /** The options that belong to this format; they are refused with any other. */
  readonly options: OptionTable;
  /** The parts of a layer beside its values or blocks that it reads; others are not kept. */
  readonly parts: readonly LayerPart[];
  /**
   * Looks at headers and summaries and refuses what the format cannot hold, before a byte is written. Values are read
   * when the contents are.
   *
   * @param options raw; the format parses them by its own table
   * @throws {FailedPreconditionError} where the format cannot hold a layer, naming it and the remedy
   */
  plan(model: ArchitectureModel, layers: ScratchLayers, options: unknown, context: FormatContext): Promise<FormattedModel>;
  /**
   * Refuses what it could not hold of layers that are still to be made, as far as grids say; the rest shows in `plan`.
   * Absent where it holds all.
   *
   * @param planned no grids where there will be no codes
   * @param options as in `plan`
   * @throws as `plan`
   */
  readonly checkPlan?: (model: Model, planned: PlannedGrids, options: unknown) => void | Promise<void>;
  /**
   * About how many bytes its weight files will take, before there are layers.
   *
   * @param planned checked by `checkPlan`
   * @param options as in `plan`
   * @returns undefined where that is not known
   */
  readonly plannedBytes?: (model: ArchitectureModel, planned: PlannedGrids, options: unknown) => Promise<number>;
  /** Which matrices will get other types than those asked for, because of their rows, in one line; undefined where none does. */
  readonly plannedFallbacks?: (model: ArchitectureModel, planned: PlannedGrids, options: unknown) => Promise<string | undefined>;
  /** `plan` for a model that is an ONNX graph; absent where the format is not for them. */
  readonly planGraph?: (
    model: GraphModel,
    layers: ScratchLayers,
    options: unknown,
    context: FormatContext,
  ) => Promise<FormattedModel>;
}
