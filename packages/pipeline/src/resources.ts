import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { openCorpus, readDistribution } from "@mbs/corpora";
import { openModel } from "@mbs/models";
import { isSolverPath } from "@mbs/solvers";
import type { OptionTable, ResourceKind } from "@mbs/contracts";
import type { StageOptions } from "./recipe.ts";

/**
 * Content addresses of what options name: models, corpora, distributions. Each is read once a run, so a file that
 * changes while the run goes on is noticed by the next one.
 */
export class Resources {
  readonly #addresses = new Map<string, Promise<string>>();

  /** Says what a path holds without reading it: for a model that this run itself has written. */
  set(kind: ResourceKind, path: string, address: string): void {
    this.#addresses.set(`${kind}:${path}`, Promise.resolve(address));
  }

  address(kind: ResourceKind, path: string): Promise<string> {
    const key = `${kind}:${path}`;
    const known = this.#addresses.get(key) ?? this.#read(kind, path);
    this.#addresses.set(key, known);
    return known;
  }

  async #read(kind: ResourceKind, path: string): Promise<string> {
    switch (kind) {
      case "model": {
        const model = await openModel(path);
        try {
          return model.address;
        } finally {
          await model.close();
        }
      }
      case "corpus":
        return (await openCorpus(path)).address;
      case "distribution":
        return (await readDistribution(path)).address;
    }
  }

  /** A solver of one's own is code: once its file changes, what it made is stale. Files that it imports are not looked at. */
  async #codeAddress(path: string): Promise<string> {
    return textAddress(await readFile(path, "utf8"));
  }

  /** Options with every path replaced by the address of what it names, for keys and records. */
  async resolve(table: OptionTable, options: StageOptions): Promise<StageOptions> {
    const entries = Object.entries(options).map(async ([name, value]): Promise<[string, unknown]> => {
      const option = table[name];
      if (name === "solver" && typeof value === "string" && isSolverPath(value)) return [name, await this.#codeAddress(value)];
      if (option?.kind !== "resource" || value === undefined) return [name, value];
      const paths = [value].flat().map(String);
      const addresses = await Promise.all(paths.map((path) => this.address(option.resource, path)));
      return [name, Array.isArray(value) ? addresses : addresses[0]];
    });
    return Object.fromEntries((await Promise.all(entries)).filter(([, value]) => value !== undefined));
  }
}

/** SHA-256 of a text, 64 lower-case hex digits. */
export const textAddress = (text: string): string => createHash("sha256").update(text).digest("hex");
