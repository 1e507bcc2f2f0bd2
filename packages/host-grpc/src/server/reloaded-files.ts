import { readGiven, warnIfOpen } from "@mbs/artifacts";
import { repeat } from "./repeat.ts";

/** Milliseconds between two looks at the files of a server. */
export const defaultReloadMs = 5000;

/** Files by the flag that named them. */
export type GivenFiles = Readonly<Record<string, string>>;

const isSame = (some: readonly Buffer[], others: readonly Buffer[]): boolean =>
  some.every((bytes, index) => others[index]?.equals(bytes) === true);

/**
 * What is in use while files are wrong, or cannot be read.
 *
 * @param contents in the order of the files; undefined where one cannot be read
 */
export type Salvage<T> = (contents: readonly Buffer[] | undefined) => T;

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
  readonly #listeners = new Set<(value: T) => void>();
  #seen: readonly Buffer[] = [];
  #fault = "";
  /** The last warning of rights, which is not repeated at each look; "" for one that is to be given again. */
  #openness = "";
  #current: T;
  #stop = (): void => undefined;

  private constructor(
    files: GivenFiles,
    parse: (contents: readonly Buffer[]) => T,
    secret: string,
    log: (line: string) => void,
    seen: readonly Buffer[],
    salvage: Salvage<T> | undefined,
  ) {
    this.#files = files;
    this.#parse = parse;
    this.#secret = secret;
    this.#log = log;
    this.#salvage = salvage;
    this.#seen = seen;
    this.#current = parse(seen);
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
   * @throws what the first reading or parsing throws
   */
  static async open<T>(
    files: GivenFiles,
    parse: (contents: readonly Buffer[]) => T,
    secret: string,
    everyMs: number,
    log: (line: string) => void,
    salvage?: Salvage<T>,
  ): Promise<ReloadedFiles<T>> {
    const opened = new ReloadedFiles(files, parse, secret, log, await ReloadedFiles.#read(files), salvage);
    await opened.#warnIfOpen();
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

  /** Also where the content is the same, since rights change without it. */
  async #warnIfOpen(): Promise<void> {
    let openness = "";
    await warnIfOpen(this.#secret, (message) => {
      openness = message;
    });
    if (openness !== "" && openness !== this.#openness) this.#log(openness);
    this.#openness = openness;
  }

  async #look(): Promise<void> {
    await this.#readAgain();
    await this.#warnIfOpen();
  }

  async #readAgain(): Promise<void> {
    const flags = Object.keys(this.#files).join(", ");
    let contents: readonly Buffer[] | undefined;
    try {
      contents = await ReloadedFiles.#read(this.#files);
      const changed = !isSame(contents, this.#seen);
      if (changed) this.#current = this.#parse(contents);
      this.#seen = contents;
      this.#fault = "";
      if (!changed) return;
      for (const listener of this.#listeners) listener(this.#current);
      this.#log(`read ${flags} again`);
      this.#openness = "";
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      if (this.#salvage !== undefined) {
        this.#current = this.#salvage(contents);
        // equal to nothing: they are parsed again when they are right
        this.#seen = [];
        // what is right in it is a secret too, and the fault is said at each look
        this.#openness = "";
        this.#log(`${fault}; ${contents === undefined ? "nothing of" : "only what is right in"} ${flags} is in use`);
      } else if (fault !== this.#fault) this.#log(`${fault}; what ${flags} had before stays in use`);
      this.#fault = fault;
    }
  }
}
