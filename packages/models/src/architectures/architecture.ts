import type { Aliases, Keys, ValuesOf } from "../config/config-keys.ts";
import { readConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import { commonKeys } from "../config/harmless-keys.ts";
import type { JsonObject } from "../folder/json-file.ts";
import type { Layout, Block } from "./layout.ts";
import { embeddingSite, headSite, embeddingsBlock } from "@mbs/artifacts";

/**
 * Embedding and head as a block behind the last one: its first site is the head's, and where the head is a tensor of its own the
 * embedding is the second. A row of their weights belongs to a token.
 */
export interface Embeddings extends Block {
  /** Whether one tensor is embedding and head. */
  readonly isTied: boolean;
}

/**
 * @param layout with tensor names as in the checkpoint
 * @returns undefined for an encoder-decoder, whose embedding several streams read, and for an encoder, which has no head
 */
export function embeddingsOf(layout: Layout, stream: string): Embeddings | undefined {
  const { embedding, head, vocabularySize: rows, hiddenSize: width, sourceTarget, encoder } = layout;
  if (sourceTarget !== undefined || encoder !== undefined) return undefined;
  const isTied = head === embedding;
  const site = (name: string, tensor: string) => ({ name, width, weights: [{ tensor, rows }] });
  const sites = [site(headSite, head), ...(isTied ? [] : [site(embeddingSite, embedding)])];
  return { name: embeddingsBlock, stream, reads: [], sites, isTied };
}

/** What can be compressed of a model: its blocks, and behind them embedding and head. */
export const compressibleBlocks = ({
  blocks,
  embeddings,
}: {
  readonly blocks: readonly Block[];
  readonly embeddings?: Embeddings | undefined;
}): readonly Block[] => (embeddings === undefined ? blocks : [...blocks, embeddings]);

/** A model type: one file each in model-types/, listed in architectures.ts. */
export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** Every key of config.json that the class of transformers has, with its default. */
  readonly keys: Keys;
  /**
   * @param file path of the config.json, for messages
   * @param section before the names of keys in messages, where the keys are those of a section: "text_config."
   * @returns the layout, the names of unknown keys, and the sizes that are defaults of the class
   * @throws {BadDataError} where the configuration is broken
   * @throws {FailedPreconditionError} where it asks for what is not supported
   */
  read(json: JsonObject, file: string, section?: string): ArchitectureReading;
}

export interface ArchitectureReading {
  /** Of the language model: that of the section, where there is one. */
  readonly modelType: string;
  /** The section of config.json that the language model has, where other models stand beside it. */
  readonly section?: string;
  readonly layout: Layout;
  /** Every key of config.json that is read, with the class's default where the configuration leaves it out. */
  readonly settings: JsonObject;
  readonly unknown: readonly string[];
  /** Key → default, of sizes that the configuration leaves out. */
  readonly defaults: ReadonlyMap<string, number>;
}

interface ArchitectureDefinition<Table extends Keys> {
  readonly modelType: string;
  /** In addition to those that all types have. */
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
    read(json, file, section) {
      const unknown: string[] = [];
      const config = readConfig(json, keys, { file, aliases, unknown, ...(section !== undefined && { prefix: section }) });
      const defaults = Object.entries(keys).flatMap(([key, { fallback, isSize }]) =>
        isSize === true && typeof fallback === "number" && !config.has(key) ? [[key, fallback] as const] : [],
      );
      return { modelType, layout: layout(config), settings: config.values, unknown, defaults: new Map(defaults) };
    },
  };
}
