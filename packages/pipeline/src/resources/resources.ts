import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isCodePath } from "@mbs/contracts";
import type { ObjectPool, OptionTable, ResourceKind, StageOptions } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import { findResource } from "./resource-readers.ts";
import type { FoundResource } from "./resource-readers.ts";

/** SHA-256 of a text, 64 lower-case hex digits. */
export const textAddress = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The values of one option, as a list: those of an option that takes many are a list already. */
const valuesOf = (value: unknown): string[] => (value === undefined ? [] : [value].flat().map(String));

/**
 * What the options of a run name: models, corpora, distributions and code. Each is read once a run: a change during the run is
 * noticed by the next run.
 */
export class Resources {
  readonly #found = new Map<string, Promise<FoundResource>>();
  /** Path of code → the hash of its file. */
  readonly #code = new Map<string, Promise<string>>();
  readonly #pool: ObjectPool | undefined;

  constructor(pool?: ObjectPool) {
    this.#pool = pool;
  }

  /** Registers a resource that need not be read: a model that is open, or that this run has written. */
  set(kind: ResourceKind, path: string, found: FoundResource): void {
    this.#found.set(`${kind}:${path}`, Promise.resolve(found));
  }

  /** Address and files of a resource, read once. @throws as findResource */
  find(kind: ResourceKind, path: string): Promise<FoundResource> {
    const key = `${kind}:${path}`;
    const found = this.#found.get(key) ?? findResource(kind, path, this.#pool);
    this.#found.set(key, found);
    return found;
  }

  /** @throws as findResource */
  async address(kind: ResourceKind, path: string): Promise<string> {
    return (await this.find(kind, path)).address;
  }

  /** Which commits the revisions are that all resources so far were found by. @throws as findResource */
  async revisions(): Promise<Revisions> {
    const found = await Promise.all(this.#found.values());
    return Object.fromEntries(found.flatMap(({ revisions = {} }) => Object.entries(revisions)));
  }

  /** A name that stays true: of what is on the Hub with the commit that its branch named. @throws as findResource */
  async pinnedName(kind: ResourceKind, path: string): Promise<string> {
    return (await this.find(kind, path)).pinnedName ?? path;
  }

  /**
   * The identity of code: the hash of its file, or the name of built-in code or of a package. Files that it imports are not
   * included.
   */
  async code(name: string): Promise<string> {
    if (!isCodePath(name)) return name;
    const found = this.#code.get(name) ?? readFile(name, "utf8").then(textAddress);
    this.#code.set(name, found);
    return found;
  }

  /** Options with every path replaced by the address of what it names, for keys and records. */
  async resolve(table: OptionTable, options: StageOptions): Promise<StageOptions> {
    const entries = Object.entries(options).map(async ([name, value]): Promise<[string, unknown]> => {
      const option = table[name];
      if (option?.kind === "code" && typeof value === "string") return [name, await this.code(value)];
      if (option?.kind !== "resource" || value === undefined) return [name, value];
      const addresses = await Promise.all(valuesOf(value).map((path) => this.address(option.resource, path)));
      return [name, Array.isArray(value) ? addresses : addresses[0]];
    });
    return Object.fromEntries((await Promise.all(entries)).filter(([, value]) => value !== undefined));
  }

  /**
   * All paths that options lead to: also of the texts, weights and shares behind the path of a resource.
   *
   * @param made folder of a model that does not exist yet, which is skipped
   * @throws as findResource
   */
  async paths(table: OptionTable, options: StageOptions, made: string): Promise<string[]> {
    const paths: string[] = [];
    for (const [name, value] of Object.entries(options)) {
      const option = table[name];
      for (const path of valuesOf(value)) {
        if (option?.kind === "code" && isCodePath(path)) paths.push(path);
        if (option?.kind === "resource" && path !== made) paths.push(...(await this.find(option.resource, path)).paths);
      }
    }
    return paths;
  }
}
