import type { Aliases, Keys, ValuesOf } from "../config/config-keys.ts";
import { readConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import { commonKeys } from "../config/harmless-keys.ts";
import type { JsonObject } from "../folder/json-file.ts";
import type { Layout } from "./layout.ts";

/** A model type: one file each in model-types/, listed in architectures.ts. */
export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** Every key of config.json that the class of transformers has, with its default. */
  readonly keys: Keys;
  /**
   * @param file path of the config.json, for messages
   * @returns the layout, the names of unknown keys, and the sizes that are defaults of the class
   * @throws {BadDataError} where the configuration is broken
   * @throws {FailedPreconditionError} where it asks for what is not supported
   */
  read(json: JsonObject, file: string): ArchitectureReading;
}

export interface ArchitectureReading {
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
    read(json, file) {
      const unknown: string[] = [];
      const config = readConfig(json, keys, { file, aliases, unknown });
      const defaults = Object.entries(keys).flatMap(([key, { fallback, isSize }]) =>
        isSize === true && typeof fallback === "number" && !config.has(key) ? [[key, fallback] as const] : [],
      );
      return { layout: layout(config), settings: config.values, unknown, defaults: new Map(defaults) };
    },
  };
}
