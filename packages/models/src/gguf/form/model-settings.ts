import { FailedPreconditionError, InternalError, isObject } from "@mbs/contracts";
import type { GgufField } from "@mbs/gguf";
import type { JsonObject } from "../../folder/json-file.ts";

/** Reads the settings of a model that is to be written, and collects its metadata. */
export class ModelSettings {
  readonly path: string;
  readonly settings: JsonObject;
  /** `general.architecture` */
  readonly architecture: string;
  readonly fields = new Map<string, GgufField>();
  /** Tensors that stand for settings, such as factors of rotary positions: vectors of float32. */
  readonly vectors = new Map<string, Float32Array>();
  /** What a GGUF file does not say of the model, a line each. */
  readonly notes: string[] = [];

  constructor(path: string, settings: JsonObject, architecture: string) {
    this.path = path;
    this.settings = settings;
    this.architecture = architecture;
  }

  find(key: string): unknown {
    return this.settings[key] ?? undefined;
  }

  number(key: string): number {
    const value = this.find(key);
    if (typeof value === "number") return value;
    throw new InternalError(`${this.path}: ${key} of config.json was read and is no number`, { key });
  }

  findNumber(key: string): number | undefined {
    return this.find(key) === undefined ? undefined : this.number(key);
  }

  section(key: string): JsonObject {
    const value = this.find(key);
    return isObject(value) ? value : {};
  }

  /** @throws {FailedPreconditionError} that says what GGUF files of this architecture cannot say */
  refuse(key: string, what: string): never {
    throw new FailedPreconditionError(
      `${this.path}: ${key} of config.json: ${what}, which GGUF files of architecture ${this.architecture} cannot say; take another format, such as dense, which holds every model`,
      { key },
    );
  }

  /** Whole numbers of metadata, by their names after the architecture's; undefined ones are left out. */
  counts(values: Readonly<Record<string, number | undefined>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (value !== undefined) this.fields.set(`${this.architecture}.${name}`, { type: "u32", value });
    }
  }

  numbers(values: Readonly<Record<string, number | undefined>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (value !== undefined) this.fields.set(`${this.architecture}.${name}`, { type: "f32", value });
    }
  }

  put(name: string, field: GgufField): void {
    this.fields.set(`${this.architecture}.${name}`, field);
  }
}
