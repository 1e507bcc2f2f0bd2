import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { GgufMetadata, GgufValue } from "./gguf-header.ts";

/** The shortest decimal that rounds to a float32: what a person wrote before the file was made. */
export function shortestDecimal(value: number): number {
  for (let digits = 1; digits < 9; digits += 1) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

/** More blocks than any model has; beyond it lists of blocks and tensors of a broken file would fill the memory. */
export const mostBlocks = 10_000;

/** The same of experts in a block. */
export const mostExperts = 4096;

const largestCounts: Readonly<Record<string, number>> = {
  block_count: mostBlocks,
  decoder_block_count: mostBlocks,
  expert_count: mostExperts,
};

const longestShown = 60;
const shown = (value: GgufValue | undefined): string => {
  if (value === undefined) return "absent";
  if (typeof value === "object") return value.length === 0 ? "an empty list" : "a list";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
};

/** Reads the metadata of a model by the names that keys have after its architecture: "block_count". */
export class MetadataReader {
  readonly path: string;
  readonly metadata: GgufMetadata;
  readonly architecture: string;
  readonly #read = new Set<string>();

  constructor(path: string, metadata: GgufMetadata, architecture: string) {
    this.path = path;
    this.metadata = metadata;
    this.architecture = architecture;
  }

  /** @throws {BadDataError} that says what the key must be */
  broken(name: string, wanted: string): never {
    const key = this.#keyOf(name);
    throw new BadDataError(
      `${this.path}: ${key} must be ${wanted}, not ${shown(this.metadata.get(key))}; convert the model again`,
      {
        file: this.path,
        key,
      },
    );
  }

  /** @throws {FailedPreconditionError} with `remedy` */
  refuse(name: string, remedy: string): never {
    const key = this.#keyOf(name);
    throw new FailedPreconditionError(`${this.path}: ${key} ${shown(this.metadata.get(key))} is not supported; ${remedy}`, {
      file: this.path,
      key,
    });
  }

  #keyOf(name: string): string {
    return name.startsWith("tokenizer.") || name.startsWith("general.") ? name : `${this.architecture}.${name}`;
  }

  find(name: string): GgufValue | undefined {
    const key = this.#keyOf(name);
    this.#read.add(key);
    return this.metadata.get(key);
  }

  /** Where a key has a value for each block, the one that all share. */
  #shared(name: string): GgufValue | undefined {
    const value = this.find(name);
    if (typeof value !== "object") return value;
    const [first] = value;
    if (first === undefined) return this.broken(name, "one value, or one for each block");
    return value.every((other) => other === first) ? first : this.refuse(name, "all blocks must be alike");
  }

  findNumber(name: string): number | undefined {
    const value = this.#shared(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isFinite(value)) return this.broken(name, "a number");
    return shortestDecimal(value);
  }

  number(name: string): number {
    return this.findNumber(name) ?? this.broken(name, "a number");
  }

  findCount(name: string): number | undefined {
    const value = this.findNumber(name);
    const largest = largestCounts[name] ?? Number.MAX_SAFE_INTEGER;
    if (value === undefined || (Number.isSafeInteger(value) && value >= 0 && value <= largest)) return value;
    return this.broken(name, value > largest ? `at most ${largest}` : "a whole number, at least 0");
  }

  /** A whole number, at least 1. */
  count(name: string): number {
    const value = this.findCount(name);
    return value === undefined || value < 1 ? this.broken(name, "a whole number, at least 1") : value;
  }

  findFlag(name: string): boolean | undefined {
    const value = this.find(name);
    return value === undefined || typeof value === "boolean" ? value : this.broken(name, "true or false");
  }

  findText(name: string): string | undefined {
    const value = this.find(name);
    return value === undefined || typeof value === "string" ? value : this.broken(name, "a string");
  }

  /** Keys of the architecture that nothing has asked for. */
  unread(): readonly string[] {
    return [...this.metadata.keys()].filter((key) => key.startsWith(`${this.architecture}.`) && !this.#read.has(key));
  }
}
