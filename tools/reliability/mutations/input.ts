import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { MbsError } from "@mbs/contracts";
import type { Draw } from "./draw.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { mutateJson } from "./mutate-json.ts";

/** A sound input of a reader, which mutations start from. */
export interface Input {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** How it is changed: byte by byte; as JSON; or one of both, at random. */
  readonly form: "bytes" | "json" | "text";
  /**
   * Reads what may be another input by now.
   *
   * @throws {MbsError} where it is refused
   * @throws {WronglyRead} where it was read, and what was read cannot be right
   */
  read(bytes: Uint8Array): Promise<void> | void;
}

/** What all inputs of one kind are read by. @param folder that it may write to */
export type Reader = (folder: string) => Promise<readonly Input[]>;

/** An input was taken, and gave something that it does not say. */
export class WronglyRead extends Error {}

export function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new WronglyRead(what);
}

const json = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)) ?? "undefined";

/** @param what is compared, for the fault */
export function demandSame(found: unknown, expected: unknown, what: string): void {
  const [one, other] = [json(found), json(expected)];
  demand(one === other, `${what}: ${one.slice(0, 200)} is not ${other.slice(0, 200)}`);
}

/** What an input may be refused with: exit codes 65 and 2. */
const refusals: ReadonlySet<string> = new Set(["bad-data", "failed-precondition", "usage"]);

/**
 * Why an input refuses bytes; undefined where it reads them.
 *
 * @throws what is neither: a fault
 */
export async function refusalOf(input: Input, bytes: Uint8Array): Promise<string | undefined> {
  try {
    await input.read(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof MbsError && refusals.has(error.tag)) return error.message;
    throw error;
  }
}

/** A mutation of an input, which never is what it was. */
export function mutated({ bytes, form }: Input, draw: Draw): Uint8Array {
  for (;;) {
    const asJson = form === "json" || (form === "text" && draw.below(2) === 0);
    const made = asJson ? mutateJson(bytes, draw) : mutateBytes(bytes, draw);
    if (Buffer.compare(made, bytes) !== 0) return made;
  }
}

const packages = resolve(import.meta.dirname, "../../../packages");

/** Path of a fixture of a package: "models/test/fixtures/gguf/models/llama.gguf". */
export const fixture = (path: string): string => join(packages, path);
export const fixtureBytes = (path: string): Uint8Array => readFileSync(fixture(path));
export const toBytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
export const toText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
