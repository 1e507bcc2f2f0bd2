import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { seededGenerator } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { loadTokenizer } from "../src/tokenizer/tokenizer.ts";

type Json = Readonly<Record<string, unknown>>;

/** Replacements of values: numbers of all kinds, strings, and what is neither. */
const replacements: readonly unknown[] = [5, -5, 1e12, 1.5, "x", "", null, true, false, [], {}, [5], { x: 5 }, undefined];

/** One edit of a JSON file. */
export interface Edit {
  readonly path: readonly (string | number)[];
  readonly before: unknown;
  /** undefined removes the key. */
  readonly after: unknown;
}

export const describeEdit = ({ path, after }: Edit): string => `${path.join(".")} = ${JSON.stringify(after) ?? "removed"}`;

/** Edits at random depths: a vocabulary of thousands of tokens counts as much as any key beside it. */
export function* randomEdits(json: Json, seed: number, name: string): Generator<Edit, never> {
  const random = seededGenerator(seed, name);
  const indexIn = (list: readonly unknown[]): number => uniformInt(random, 0, list.length - 1);
  for (;;) {
    const path: (string | number)[] = [];
    let value: unknown = json;
    do {
      const keys: (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value as Json);
      const key = at(keys, indexIn(keys));
      path.push(key);
      value = (value as Json)[key];
    } while (typeof value === "object" && value !== null && Object.keys(value).length > 0 && uniformInt(random, 0, 4) > 0);
    yield { path, before: value, after: replacements[indexIn(replacements)] };
  }
}

/** The JSON with one edit; what is not on its path is shared. */
export function applyEdit(json: unknown, { path, after }: Edit): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return after;
  const value = applyEdit((json as Json)[key], { path: rest, before: undefined, after });
  if (Array.isArray(json)) return value === undefined ? json.toSpliced(Number(key), 1) : json.with(Number(key), value);
  const { [key]: _old, ...others } = json as Json;
  return value === undefined ? others : { ...others, [key]: value };
}

const texts = ["The folder, 12 of a b\n", "नमस्ते 日本語  x", "<s> is <extra_id_0> text</s>", "naïve 👩‍👧 ☃"];

/** All that a tokenizer makes of some texts, or "refused". Every other failure is thrown. */
export async function tokensOf(json: unknown): Promise<string> {
  try {
    const tokenizer = await loadTokenizer("/nowhere", json as Json);
    const made = texts.map((text) => {
      const ids = tokenizer.encode(text);
      return [[...ids], tokenizer.decode(ids), tokenizer.byteLength(ids)];
    });
    return JSON.stringify([made, tokenizer.bos, tokenizer.sentinels]);
  } catch (error) {
    if (error instanceof BadDataError || error instanceof FailedPreconditionError) return "refused";
    throw error;
  }
}

const typeOf = (value: unknown): string => (Array.isArray(value) ? "list" : typeof value);

/**
 * Whether an edit can make another tokenizer that is as sound as the first: it puts a text for a text, a number for a
 * number, or gives or takes a part that may be absent.
 */
export const canBeSound = ({ before, after }: Edit): boolean =>
  before === null || after === null || after === undefined || typeOf(before) === typeOf(after);
