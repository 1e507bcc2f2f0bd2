import { readConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import type { Aliases, Keys, ValuesOf } from "../config/config-keys.ts";
import { commonKeys } from "../config/harmless-keys.ts";
import type { JoinedTensor } from "../checkpoint/joined-tensors.ts";
import type { JsonObject } from "../folder/json-file.ts";
import type { Step } from "../folder/model.ts";
import type { SourceTarget } from "../forward/passages.ts";
import type { EmbedGraph, RowGraph, SequenceGraph } from "../graph/sequence-graph.ts";

/** A tensor that an architecture reads. Its name has no prefix such as "transformer.". */
export interface ExpectedTensor {
  readonly name: string;
  /** As graphs use it: [rows, columns] for a linear weight. */
  readonly shape: readonly number[];
  /** False for tensors that may be there and are then read or knowingly left alone. */
  readonly required: boolean;
  /** True where a checkpoint stores it as [columns, rows]. */
  readonly transposed?: boolean;
  /** The tensor that it repeats; a checkpoint in which it differs is refused. */
  readonly copyOf?: string;
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
  /** Forms that newer checkpoints may have for some tensors. */
  readonly joined?: readonly JoinedTensor[];
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

/** A model type: one file each in model-types/, listed in architectures.ts. */
export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** Every key of config.json that counts, with the default of the class. */
  readonly keys: Keys;
  /**
   * @param file path of the config.json, for messages
   * @returns the layout, the names of keys that are not known, and sizes that the class's defaults stand for
   * @throws {BadDataError} where the configuration is broken
   * @throws {FailedPreconditionError} where it asks for what is not supported
   */
  read(json: JsonObject, file: string): ArchitectureReading;
}

export interface ArchitectureReading {
  readonly layout: Layout;
  readonly unknown: readonly string[];
  /** Key → default, of sizes that the configuration leaves out. */
  readonly defaults: ReadonlyMap<string, number>;
}

interface ArchitectureDefinition<Table extends Keys> {
  readonly modelType: string;
  /** Beside those that all types have. */
  readonly keys: Table;
  readonly aliases?: Aliases;
  readonly layout: (config: Config<ValuesOf<Omit<typeof commonKeys, keyof Table> & Table>>) => Layout;
}

/** An architecture of its keys and of the layout that follows from their values. */
export function defineArchitecture<const Table extends Keys>(definition: ArchitectureDefinition<Table>): Architecture {
  const { modelType, aliases = {}, layout } = definition;
  const keys = { ...commonKeys, ...definition.keys };
  return {
    modelType,
    keys,
    read(json, file) {
      const unknown: string[] = [];
      const config = readConfig(json, keys, { file, aliases, unknown });
      const defaults = Object.entries(keys).flatMap(([key, { fallback, isSize }]) =>
        isSize === true && typeof fallback === "number" && !config.has(key) ? [[key, fallback] as const] : [],
      );
      return { layout: layout(config), unknown, defaults: new Map(defaults) };
    },
  };
}
