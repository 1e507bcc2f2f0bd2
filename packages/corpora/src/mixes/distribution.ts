import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { requirePlainJson } from "@mbs/artifacts";
import { BadDataError, InputOutputError, isObject } from "@mbs/contracts";
import { presets } from "../generated/presets.ts";

/** What the shares of a distribution count. */
export type DistributionUnit = "tokens" | "bytes" | "segments";

/** The share of each language in a training mixture. */
export interface Distribution {
  readonly name: string;
  readonly unit: DistributionUnit;
  /** Where the numbers come from. */
  readonly source: string;
  /** Language → share, in the file's order, each > 0, sum 1. */
  readonly shares: ReadonlyMap<string, number>;
  /** SHA-256 over unit, languages and shares. */
  readonly address: string;
}

/** A line for every language that there is takes less. */
const sizeLimit = 10_000_000;
const units: readonly string[] = ["tokens", "bytes", "segments"];

/** Names under which well-known training mixtures are built in. */
export const presetNames: readonly string[] = Object.keys(presets);

/**
 * Checks and normalises a distribution: `{name?, unit, source, shares: {language: number}}`; other keys are notes.
 *
 * @param where for messages and as the name of one that has none
 * @throws {BadDataError} on a share that is not finite and positive, an unknown unit or no language
 */
export function parseDistribution(value: unknown, where: string): Distribution {
  const fail = (what: string): never => {
    throw new BadDataError(`distribution ${where}: ${what}; correct it`, { distribution: where });
  };
  if (!isObject(value)) return fail("is no JSON object");
  const { unit, source, shares } = value;
  if (typeof unit !== "string" || !units.includes(unit)) return fail(`unit must be one of ${units.join(", ")}`);
  if (typeof source !== "string" || source === "") return fail("source must say where the numbers come from");
  if (!isObject(shares) || Object.keys(shares).length === 0) return fail("shares must be an object of language to number");
  const entries = Object.entries(shares).map(([language, share]): [string, number] => {
    if (typeof share !== "number" || !Number.isFinite(share) || share <= 0) {
      return fail(`share of ${language} must be a positive number, not ${JSON.stringify(share)}`);
    }
    return [language, share];
  });
  const sum = entries.reduce((total, [, share]) => total + share, 0);
  if (!Number.isFinite(sum)) return fail("the sum of the shares is not finite");
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    name: typeof value["name"] === "string" ? value["name"] : where,
    unit: unit as DistributionUnit,
    source,
    shares: new Map(entries.map(([language, share]) => [language, share / sum])),
    address: createHash("sha256")
      .update(JSON.stringify([unit, sorted]))
      .digest("hex"),
  };
}

/**
 * Reads a training mixture: the name of a preset, a JSON file, or a model folder with a distribution.json.
 *
 * @throws {InputOutputError} where there is nothing of that name
 * @throws {BadDataError} where it is broken
 */
export async function readDistribution(nameOrPath: string): Promise<Distribution> {
  if (Object.hasOwn(presets, nameOrPath)) return parseDistribution(presets[nameOrPath], nameOrPath);
  const missing = `no distribution at ${nameOrPath}; name another: a JSON file, a model folder with a distribution.json, or one of ${presetNames.join(", ")}`;
  let text: string;
  try {
    // a GGUF file is a model too, one without a distribution.json
    const isModel = (await stat(nameOrPath)).isDirectory() || /\.gguf$/i.test(nameOrPath);
    const path = isModel ? join(nameOrPath, "distribution.json") : nameOrPath;
    const found = await stat(path);
    if (!found.isFile() || found.size > sizeLimit) {
      throw new BadDataError(`distribution ${path} is no regular file of at most ${sizeLimit} bytes; name another`, {
        distribution: path,
      });
    }
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof BadDataError) throw error;
    throw new InputOutputError(missing, { distribution: nameOrPath }, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BadDataError(
      `distribution ${nameOrPath} is no JSON: ${(error as Error).message}`,
      { distribution: nameOrPath },
      { cause: error },
    );
  }
  requirePlainJson(text, `distribution ${nameOrPath}`, { distribution: nameOrPath });
  return parseDistribution(value, basename(nameOrPath));
}
