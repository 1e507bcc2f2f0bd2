import { createHash } from "node:crypto";
import { parseMetadata, readLastStates, type LastStates, type LastStatesMetadata } from "@mbs/artifacts";
import {
  BadDataError,
  InterruptedError,
  nameShards,
  optionFlag,
  type ArtifactStream,
  type Device,
  type Shards,
} from "@mbs/contracts";
import { requireSameModel, type Passage } from "@mbs/models";
import { nameWindow, predictedIn, type EndedBatch, type ScoredBy, type WindowBatch } from "./run-windows.ts";
import type { PassageWindow } from "./passage-windows.ts";
import type { TextChoice } from "./text-options.ts";

const again = "make them again with mbs last-states, or leave out --last-states";

/** SHA-256 of all that states depend on besides the model: the tokens of each stream, and which are predicted. docs/artifacts.md has the form. */
export function tokensAddress({ inputs, scored, first }: Passage): string {
  const hash = createHash("sha256");
  for (const [name, tokens] of [...inputs, ["scored", scored] as const]) hash.update(`${name} ${tokens.length}\n`).update(tokens);
  return hash.update(`first ${first}\n`).digest("hex");
}

/** The number of windows of each language. */
export function countWindows(windows: readonly PassageWindow[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { language } of windows) counts.set(language, (counts.get(language) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** What states depend on besides the windows, as the metadata of last states has it. */
export type StatesOrigin = Omit<LastStatesMetadata, "windows">;

/** @param run address of the corpus, tokens of a window, and what runs the model */
export function originOf(
  { model, activations }: ScoredBy,
  { corpus, length, device }: { readonly corpus: string; readonly length: number; readonly device: Device | undefined },
  { bos, assistantOnly, bySource, field, sourceTarget, targetField, targetLanguage, shards }: TextChoice,
): StatesOrigin {
  const texts = { assistantOnly, bySource, field, sourceTarget, targetField, targetLanguage };
  const given = { ...texts, device: device === "cpu" ? undefined : device };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== false));
  const nonfinite = [...model.checkpoint.nonfinite].toSorted();
  return { model: model.address, activations, nonfinite, corpus, length, bos, options, ...(shards && { shards }) };
}

/** An option as it is given: "with --length 512", "without --by-source". */
function given(name: string, value: unknown): string {
  if (value === undefined) return `without ${optionFlag(name)}`;
  if (value === true) return `with ${optionFlag(name)}`;
  return `with ${optionFlag(name)} ${typeof value === "string" ? value : JSON.stringify(value)}`;
}

/** The options that states depend on. */
const optionsOf = ({ activations, nonfinite, length, bos, options }: StatesOrigin): ReadonlyMap<string, unknown> =>
  new Map(Object.entries({ ...options, length, bos, activations, ...(nonfinite.length > 0 && { allowNonfinite: true }) }));

const partOf = (shards: Shards | undefined): string =>
  shards === undefined ? "all windows" : `shard ${nameShards(shards)} of the windows`;

const isSameShard = (one: Shards, other: Shards | undefined): boolean =>
  other !== undefined && one.of === other.of && one.first === other.first && one.count === other.count;

/**
 * Refuses last states that an evaluation would not make itself. Those of all windows serve a shard too.
 *
 * @throws {BadDataError} naming the first difference
 */
export function requireSameOrigin(found: StatesOrigin, wanted: StatesOrigin, { model }: ScoredBy): void {
  requireSameModel("the last states", found.model, model, again);
  if (found.corpus !== wanted.corpus) {
    throw new BadDataError(`the last states are of texts ${found.corpus}, --corpus has ${wanted.corpus}; ${again}`, {
      found: found.corpus,
      expected: wanted.corpus,
    });
  }
  const [theirs, ours] = [optionsOf(found), optionsOf(wanted)];
  const name = [...new Set([...theirs.keys(), ...ours.keys()])].find((key) => theirs.get(key) !== ours.get(key));
  if (name !== undefined) {
    throw new BadDataError(
      `the last states were made ${given(name, theirs.get(name))}, and this evaluation is ${given(name, ours.get(name))}; give both the same, or leave out --last-states`,
      { option: optionFlag(name) },
    );
  }
  if (found.shards !== undefined && !isSameShard(found.shards, wanted.shards)) {
    throw new BadDataError(
      `the last states are of ${partOf(found.shards)}, and this evaluation is of ${partOf(wanted.shards)}; give both the same --shard, or states of all windows`,
      { option: "--shard" },
    );
  }
}

/**
 * Last states of an artifact, in the order of its windows.
 *
 * Memory: those of a window, beside what `read` gives.
 */
export class StoredStates {
  readonly #windows: ReadonlyMap<string, number>;
  readonly #width: number;
  readonly #records: AsyncIterator<LastStates, undefined>;

  /** @param width of the model's states */
  constructor(stream: ArtifactStream, width: number) {
    this.#windows = new Map(Object.entries(parseMetadata("last-states", stream.schema).windows));
    this.#width = width;
    this.#records = readLastStates(stream)[Symbol.asyncIterator]() as AsyncIterator<LastStates, undefined>;
  }

  /** @throws {BadDataError} where there are fewer windows of a language than those that are to be read */
  requireWindows(wanted: readonly PassageWindow[]): void {
    for (const [language, count] of Object.entries(countWindows(wanted))) {
      const own = this.#windows.get(language) ?? 0;
      if (own >= count) continue;
      throw new BadDataError(
        `the last states are of ${own} windows of ${language}, and ${count} are evaluated; ${again}, or evaluate fewer with --windows or --languages`,
        { language },
      );
    }
  }

  /**
   * The states of some batches, behind those that were read before. Windows between them are passed over.
   *
   * @throws {BadDataError} where a window is missing, or has other tokens
   */
  async read(batches: readonly WindowBatch[], signal: AbortSignal): Promise<readonly EndedBatch[]> {
    const ended: EndedBatch[] = [];
    for (const windows of batches) {
      const shape = { rows: predictedIn(windows), width: this.#width };
      const size = shape.rows * shape.width;
      const values = new Float32Array(windows.length * size);
      for (const [index, window] of windows.entries()) {
        const found = await this.#find(window, signal);
        requireTokens(found, window, shape);
        values.set(found.values, index * size);
      }
      ended.push({ windows, states: { rows: windows.length * shape.rows, columns: shape.width, values } });
    }
    return ended;
  }

  /** Reads what is left: whether an artifact is whole is said at its end. */
  async end(signal: AbortSignal): Promise<void> {
    while ((await this.#next(signal)) !== undefined);
  }

  /** Tells the source that no more is read. */
  async close(): Promise<void> {
    await this.#records.return?.();
  }

  async #next(signal: AbortSignal): Promise<LastStates | undefined> {
    if (signal.aborted) throw new InterruptedError("evaluate: stopped");
    return (await this.#records.next()).value;
  }

  async #find(window: PassageWindow, signal: AbortSignal): Promise<LastStates> {
    for (let found = await this.#next(signal); found !== undefined; found = await this.#next(signal)) {
      if (found.language === window.language && found.window === window.window) return found;
    }
    throw new BadDataError(`the last states have none of ${nameWindow(window)} in the order of the texts; ${again}`, {
      language: window.language,
      window: window.window,
    });
  }
}

/** @throws {BadDataError} where the states of a window are of other tokens */
function requireTokens(found: LastStates, window: PassageWindow, { rows, width }: Pick<LastStates, "rows" | "width">): void {
  const isSame = found.tokens === tokensAddress(window.passage) && found.source === window.source;
  if (isSame && found.rows === rows && found.width === width) return;
  throw new BadDataError(
    `the last states of ${nameWindow(window)} are of other tokens: its text was read in another way; ${again}`,
    { language: window.language, window: window.window },
  );
}
