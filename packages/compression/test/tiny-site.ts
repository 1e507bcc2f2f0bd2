import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeFactors, encodeSegments, readLayers, type FactorRecord, type LayerRecord } from "@mbs/artifacts";
import { at, type ArtifactStream, type StageContext } from "@mbs/contracts";
import { openModel, type Model } from "@mbs/models";
import { writeTinyModel, type TinyModelOptions } from "@mbs/models/testing";
import { inverseFactor, packUpper } from "@mbs/numbers";
import { plainBlas } from "@mbs/solvers/conformance";
import { compress } from "../src/index.ts";

/** A context that keeps what a stage warns of. */
export function recordingContext(): StageContext & { readonly warnings: string[] } {
  const warnings: string[] = [];
  return {
    warnings,
    signal: new AbortController().signal,
    progress: () => {},
    warn: (message) => warnings.push(message),
    threads: 1,
  };
}

const tokensFrom = (first: number): Int32Array => Int32Array.from({ length: 24 }, (_, index) => (first + index * 5) % 30);

/** A text of 24 tokens in each of two languages, en and mr. */
export function shortSegments(tokenizer: string): ArtifactStream {
  const texts = ["en", "mr"].map((language, segment) => ({ segment, language, documents: 1, tokens: tokensFrom(segment) }));
  const about = { tokenizer, corpus: "c", distribution: "", length: 24, seed: 0, mix: "equal", counts: {}, shortfall: {} };
  return encodeSegments(texts, about);
}

/** Makes a tiny model, hands it to `work`, and takes it away again. */
export async function withTinyModel(options: TinyModelOptions, work: (model: Model) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mbs-compress-"));
  try {
    await writeTinyModel(folder, options);
    const model = await openModel(folder, { allowNonfinite: true });
    await work(model).finally(() => model.close());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A made-up factor: H has `1 + column % 3` on its diagonal and `beside` beside it; column 1 is dead. */
export async function makeFactor(block: string, site: string, width: number, beside = 0.5): Promise<FactorRecord> {
  const gram = new Float32Array(width * width);
  for (let column = 0; column < width; column += 1) {
    gram[column * (width + 1)] = column === 1 ? 0 : 1 + (column % 3);
    if (column > 2) gram[column * width + column - 1] = gram[(column - 1) * width + column] = beside;
  }
  const diagonal = Float32Array.from({ length: width }, (_, column) => at(gram, column * (width + 1)));
  const damped = gram.slice();
  for (let column = 0; column < width; column += 1) damped[column * (width + 1)] = (diagonal[column] || 2) + 0.02;
  return {
    block,
    site,
    width,
    summary: {
      tokens: 100,
      weights: { en: 1 },
      orderName: "natural",
      requestedDamping: 0.01,
      damping: 0.01,
      precision: "float32",
      retries: 0,
      dead: [1],
      factorised: true,
    },
    order: Int32Array.from({ length: width }, (_, column) => column),
    diagonal,
    gram: packUpper(gram, width),
    upper: packUpper(await inverseFactor(plainBlas, damped, width), width),
  };
}

export async function factorsOf({ blocks }: Model): Promise<FactorRecord[]> {
  return Promise.all(blocks.flatMap(({ name, sites }) => sites.map((site) => makeFactor(name, site.name, site.width))));
}

export const factorStream = (address: string, records: Iterable<FactorRecord>): ArtifactStream =>
  encodeFactors(records, { model: address, weights: { en: 1 }, damping: 0.01, order: "natural" });

/** Runs the stage on records and collects its layers. */
export async function runCompress(
  model: Model,
  records: Iterable<FactorRecord>,
  options: Readonly<Record<string, unknown>>,
  context: StageContext = recordingContext(),
): Promise<LayerRecord[]> {
  const inputs = { factors: [factorStream(model.address, records)] };
  const { layers } = await compress.run(inputs, { model: model.path, ...options }, context);
  if (layers === undefined) throw new Error("compress gave no layers");
  return collect(readLayers(layers));
}
