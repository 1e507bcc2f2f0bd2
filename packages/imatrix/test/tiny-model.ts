import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeStatistics, inputSite, readFiles } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import type { ArtifactStream, Stage } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";

/** A random BLOOM of two blocks in a folder of its own. */
export interface TinyModel {
  readonly root: string;
  readonly folder: string;
  readonly model: Model;
  readonly remove: () => Promise<void>;
}

export async function makeTinyModel(): Promise<TinyModel> {
  const root = await mkdtemp(join(tmpdir(), "imatrix-test-"));
  const folder = join(root, "tiny");
  await writeTinyModel(folder, { seed: 3 });
  const model = await openModel(folder);
  await model.close();
  return { root, folder, model, remove: () => rm(root, { recursive: true }) };
}

const tokensOf: Readonly<Record<string, number>> = { en: 3000, hi: 1000 };

/** E[x²] that is known: of channel c at a site. */
export const squareOf = (language: string, site: string, channel: number): number =>
  (language === "en" ? 1 : 5) + channel / 8 + (site === "mlp-down" ? 2 : 0);

/** A diagonal of every language at every site, and at block inputs. */
export function diagonals({ blocks, hiddenSize }: Model): Statistic[] {
  return blocks.flatMap(({ name: block, sites }) =>
    [{ name: inputSite, width: hiddenSize }, ...sites].flatMap(({ name: site, width }) =>
      Object.entries(tokensOf).map(([language, tokens]): Statistic => {
        const values = Float32Array.from({ length: width }, (_, channel) => squareOf(language, site, channel));
        return { block, site, language, kind: "diagonal", tokens, width, values };
      }),
    ),
  );
}

export const statisticsOf = (
  statistics: readonly Statistic[],
  model: string,
  mix?: Readonly<Record<string, number>>,
): ArtifactStream => encodeStatistics(statistics, { model, tokenizer: "t", propagation: "dense", unit: "mean a token", mix });

/** The first output of a stage, and what it warned of. */
export async function runStage(
  stage: Stage,
  inputs: Readonly<Record<string, readonly ArtifactStream[]>>,
  options: Readonly<Record<string, unknown>>,
): Promise<{ readonly output: ArtifactStream; readonly warnings: readonly string[] }> {
  const warnings: string[] = [];
  const context = testContext({ warn: (message: string) => void warnings.push(message) });
  const [output] = Object.values(await stage.run(inputs, options, context));
  if (output === undefined) throw new Error(`${stage.name} made nothing`);
  return { output, warnings };
}

/** File name → its bytes. */
export async function filesOf(stream: ArtifactStream): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { path, data } of await collect(readFiles(stream))) {
    files.set(path, Buffer.concat([files.get(path) ?? new Uint8Array(), data]));
  }
  return files;
}

export async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it did not fail");
}
