import { createHash } from "node:crypto";
import { readGiven, warnIfOpen } from "@mbs/artifacts";
import { repeat } from "./repeat.ts";

/** Milliseconds between two looks at the files of a server. */
export const defaultReloadMs = 5000;

/** Files by the flag that named them. */
export type GivenFiles = Readonly<Record<string, string>>;

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/**
 * What is in use while files are wrong, or cannot be read.
 *
 * @param contents in the order of the files; undefined where one cannot be read
 */
export type Salvage<T> = (contents: readonly Buffer[] | undefined) => T;

/** What the log says of content that is right, such as that its time is over; undefined for nothing. */
export type Warning<T> = (value: T) => string | undefined;

/**
 * What some small files hold together, read again when one of them changes. Where they are wrong or half replaced, the log says
 * why, and the last good content stays in use, or what is salvaged of the new one.
 */
export class ReloadedFiles<T> {
  readonly #files: GivenFiles;
  readonly #parse: (contents: readonly Buffer[]) => T;
  readonly #secret: string;
  readonly #log: (line: string) => void;
  readonly #salvage: Salvage<T> | undefined;
  readonly #warning: Warning<T> | undefined;
  readonly #listeners = new Set<(value: T) => void>();
  /** SHA-256 of what was read last: the contents may be secret, and need not stay in memory to be compared. */
  #seen: readonly string[] = [];
  #fault = "";
  /** Warnings of the last look, which are not repeated. */
  #warned: ReadonlySet<string> = new Set();
  #current: T;
  #stop = (): void => undefined;

  private constructor(
    files: GivenFiles,
    parse: (contents: readonly Buffer[]) => T,
    secret: string,
    log: (line: string) => void,
    contents: readonly Buffer[],
    salvage: Salvage<T> | undefined,
    warning: Warning<T> | undefined,
  ) {
    this.#files = files;
    this.#parse = parse;
    this.#secret = secret;
    this.#log = log;
    this.#salvage = salvage;
    this.#warning = warning;
    this.#seen = contents.map(sha256);
    this.#current = parse(contents);
  }

  static #read(files: GivenFiles): Promise<Buffer[]> {
    return Promise.all(Object.entries(files).map(([flag, path]) => readGiven(path, flag, true)));
  }

  /**
   * @param parse contents in the order of the files; throws where they are wrong
   * @param secret path of the file that others should not read: the log warns where they can
   * @param everyMs milliseconds between two looks
   * @param salvage of files that grant something: what they no longer hold ends at once, also where the rest is wrong. The log then
   *   says at each look what is wrong. Without it the last good content stays in use
   * @param warning asked at each look
   * @throws what the first reading or parsing throws
   */
  static async open<T>(
    files: GivenFiles,
    parse: (contents: readonly Buffer[]) => T,
    secret: string,
    everyMs: number,
    log: (line: string) => void,
    { salvage, warning }: { readonly salvage?: Salvage<T>; readonly warning?: Warning<T> } = {},
  ): Promise<ReloadedFiles<T>> {
    const opened = new ReloadedFiles(files, parse, secret, log, await ReloadedFiles.#read(files), salvage, warning);
    await opened.#warn();
    opened.#stop = repeat(everyMs, () => opened.#look());
    return opened;
  }

  get current(): T {
    return this.#current;
  }

  /** @param listener called with every new content */
  onChange(listener: (value: T) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  /** Also where the content is the same: rights change without it, and time passes. */
  async #warn(): Promise<void> {
    const warnings = new Set<string>();
    await warnIfOpen(this.#secret, (message) => warnings.add(message));
    const ofContent = this.#warning?.(this.#current);
    if (ofContent !== undefined) warnings.add(ofContent);
    for (const warning of warnings) if (!this.#warned.has(warning)) this.#log(warning);
    this.#warned = warnings;
  }

  async #look(): Promise<void> {
    await this.#readAgain();
    await this.#warn();
  }

  async #readAgain(): Promise<void> {
    const flags = Object.keys(this.#files).join(", ");
    let contents: readonly Buffer[] | undefined;
    try {
      contents = await ReloadedFiles.#read(this.#files);
      const hashes = contents.map(sha256);
      const changed = hashes.some((hash, index) => hash !== this.#seen[index]);
      if (changed) this.#current = this.#parse(contents);
      this.#seen = hashes;
      this.#fault = "";
      if (!changed) return;
      for (const listener of this.#listeners) listener(this.#current);
      this.#log(`read ${flags} again`);
      this.#warned = new Set();
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      if (this.#salvage !== undefined) {
        this.#current = this.#salvage(contents);
        // equal to nothing: they are parsed again when they are right
        this.#seen = [];
        // what is right in it is a secret too, and the fault is said at each look
        this.#warned = new Set();
        this.#log(`${fault}; ${contents === undefined ? "nothing of" : "only what is right in"} ${flags} is in use`);
      } else if (fault !== this.#fault) this.#log(`${fault}; what ${flags} had before stays in use`);
      this.#fault = fault;
    }
  }
}
