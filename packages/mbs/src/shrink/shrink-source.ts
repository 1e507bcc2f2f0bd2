import { basename, extname, resolve } from "node:path";
import { bitsAWeight, FailedPreconditionError, formatBytes, InputOutputError, isSmaller } from "@mbs/contracts";
import type { ModelSize } from "@mbs/contracts";
import { publishedLanguages, readDistribution } from "@mbs/corpora";
import type { Distribution, PublishedLanguages } from "@mbs/corpora";
import { cardFile, isGguf, modelSize, readCardSource, type Model } from "@mbs/models";
import { parse } from "yaml";
import type { PlannedTarget } from "./target.ts";

/** What is known of the model that is shrunk. */
export interface ShrinkSource extends ModelSize {
  /** "gemma-3-270m-it", for names of folders. */
  readonly name: string;
  /** Bits a weight where it is quantised already; undefined for 16 bits and more. */
  readonly quantisedBits: number | undefined;
  /** Its training mixture, where one is known. */
  readonly mixture: KnownMixture | undefined;
  /** Languages that its card names, or that are published of its family. */
  readonly languages: readonly string[];
}

/** Bits from which a weight is not called quantised: half precision, and headers that make it more. */
const plainBits = 15;

/** A training mixture with the name under which it is read again. */
export interface KnownMixture {
  readonly distribution: Distribution;
  /** A folder with a distribution.json, or the name of one that is built in. */
  readonly name: string;
}

/** The mixture in the model's folder, or of its family; undefined where neither is known. @param given as the user named the model */
async function readMixture(
  { path }: Model,
  { preset: name }: PublishedLanguages,
  given: string,
): Promise<KnownMixture | undefined> {
  try {
    return { distribution: await readDistribution(path), name: given.startsWith("hf:") ? path : given };
  } catch (error) {
    if (!(error instanceof InputOutputError)) throw error;
    return name === undefined ? undefined : { distribution: await readDistribution(name), name };
  }
}

/** The languages that the head of a card lists; none where it lists none, or is no YAML. */
export function languagesOfCard(card: string): string[] {
  const head = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1] ?? "";
  try {
    const { language } = (parse(head, { maxAliasCount: 0, logLevel: "silent" }) ?? {}) as { readonly language?: unknown };
    return [language].flat().filter((name): name is string => typeof name === "string");
  } catch {
    return [];
  }
}

/** "hf:google/gemma-3-270m@main" and "models/gemma.gguf" → "gemma-3-270m" and "gemma". */
export function modelName(model: string): string {
  const path = /^hf:([^@?]+)/.exec(model)?.[1] ?? resolve(model);
  const name = basename(path);
  return extname(name).toLowerCase() === ".gguf" ? name.slice(0, -".gguf".length) : name;
}

/** What is known of an opened model. @param given as the user named it */
export async function readSource(model: Model, given: string): Promise<ShrinkSource> {
  const size = await modelSize(model);
  const bits = bitsAWeight(size);
  const names = await model.files.list();
  const card = names.includes(cardFile) ? await model.files.text(cardFile) : "";
  const { baseModel } = await readCardSource(model);
  const published = publishedLanguages(model.architecture, [
    given,
    modelName(given),
    ...(baseModel === undefined ? [] : [baseModel]),
  ]);
  const ofCard = languagesOfCard(card);
  return {
    name: modelName(given),
    ...size,
    quantisedBits: bits < plainBits && isGguf(model.path) ? bits : undefined,
    mixture: await readMixture(model, published, given),
    languages: ofCard.length > 0 ? ofCard : published.languages,
  };
}

/**
 * Refuses models that texts alone say nothing of: they have no losses, or read pairs of texts.
 *
 * @throws {FailedPreconditionError} with the commands that there are for them
 */
export function requireTextLosses(model: Model): void {
  const isOfPairs = model.kind === "architecture" && model.layout.sourceTarget?.languages !== undefined;
  if (model.stacks !== "encoder" && !isOfPairs) return;
  const [what, where] = isOfPairs
    ? ["translates, so it is calibrated on pairs of texts, which mbs shrink does not take", "Pairs"]
    : ["is an encoder, which predicts no tokens, so mbs shrink has nothing to compare it by", "Encoders"];
  throw new FailedPreconditionError(`${model.path} ${what}; compress it by the commands in docs/architectures.md, ${where}`, {
    model: model.path,
  });
}

/** What follows from a source that is quantised already, in a line; undefined where it is not. */
export const quantisedText = ({ quantisedBits }: ShrinkSource): string | undefined =>
  quantisedBits === undefined
    ? undefined
    : `the source is quantised to ${quantisedBits.toFixed(1)} bits a weight already; losses are against it; its 16-bit original would be a better source`;

/** Fewest bits of a weight that are rounded a second time. */
const fewestSourceBits = 4;

/**
 * Refuses a source that has so few bits that little is left to round.
 *
 * @throws {FailedPreconditionError} with the bits that it has
 */
export function requireSourceBits({ quantisedBits = Infinity, name }: ShrinkSource): void {
  if (quantisedBits >= fewestSourceBits) return;
  throw new FailedPreconditionError(
    `${name} is quantised to ${quantisedBits.toFixed(1)} bits a weight already; take its 16-bit original, or a file of ${fewestSourceBits} bits and more`,
    { model: name },
  );
}

/**
 * Refuses to round a second time what does not become smaller by it.
 *
 * @param target what is planned of it
 * @throws {FailedPreconditionError} with the sizes, and what would be smaller
 */
export function requireSmaller(source: ShrinkSource, { bytes = Infinity, stored, smaller }: PlannedTarget): void {
  if (source.quantisedBits === undefined || isSmaller(bytes, source.bytes)) return;
  const made = Number.isFinite(bytes) ? `about ${formatBytes(Math.round(bytes))}` : "16 bits a weight";
  throw new FailedPreconditionError(
    `${source.name} is quantised already (${formatBytes(source.bytes)}, ${source.quantisedBits.toFixed(1)} bits a weight), and ${stored} would not make it smaller (${made}); take its 16-bit original, or what is smaller: ${smaller ?? "another --size"}`,
    { model: source.name },
  );
}
