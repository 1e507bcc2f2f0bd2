import { SiteLanguages, ScratchFile, addressOnTheWay, encodeDamage, parseMetadata } from "@mbs/artifacts";
import type { DamageRecord, OwnStatistic } from "@mbs/artifacts";
import { BadDataError, InterruptedError, UsageError, parseOptions } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, Stage, StageContext } from "@mbs/contracts";
import { openModel, requireSameModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import { readRises, requireLayersOf } from "./actual-rises.ts";
import type { ActualRises } from "./actual-rises.ts";
import { languageDamage } from "./language-damage.ts";
import { readOwnStatistics } from "../own-statistics.ts";
import { EmbeddingsCosts } from "./embeddings-costs.ts";
import { readMeasured } from "./measured-model.ts";
import type { MeasuredModel } from "./measured-model.ts";
import { ScratchLayers } from "./scratch-layers.ts";
import type { WeightChange } from "./weight-change.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "the model before compression" },
  compressed: {
    kind: "text",
    optional: true,
    placeholder: "LABEL",
    description: "with --scores: the model that the layers made, if the scores have several; another model's layers are refused",
  },
} as const satisfies OptionTable;

/** The statistics of all artifacts, one after the other. */
async function* statisticsOf(streams: readonly ArtifactStream[], model: Model): AsyncGenerator<OwnStatistic> {
  for (const stream of streams) {
    const { model: address } = parseMetadata("statistics", stream.schema);
    requireSameModel("the statistics", address, model, "capture again");
    yield* readOwnStatistics(stream);
  }
}

/** Refuses a site that has other languages than the sites before: sums over sites could not be compared. */
class FinishedSites {
  readonly #done = new Set<string>();
  #languages: readonly string[] | undefined;
  diagonals = 0;

  get count(): number {
    return this.#done.size;
  }

  has(block: string, site: string): boolean {
    return this.#done.has(JSON.stringify([block, site]));
  }

  add({ block, site, names, diagonal }: SiteLanguages): void {
    this.#languages ??= names;
    if (names.join(" ") !== this.#languages.join(" ")) {
      throw new BadDataError(
        `statistics of ${block} ${site} are of ${names.join(", ") || "no language"}, those before of ${this.#languages.join(", ")}; capture again`,
        { block, site },
      );
    }
    this.#done.add(JSON.stringify([block, site]));
    if (diagonal) this.diagonals += 1;
  }
}

/** Layers for the prediction; those that the scored model was not made of are refused. */
async function addChecked(scratch: ScratchLayers, stream: ArtifactStream, actual: ActualRises | undefined): Promise<void> {
  if (actual === undefined) return scratch.add(stream);
  const addressed = addressOnTheWay(stream);
  await scratch.add(addressed.stream);
  requireLayersOf(actual, addressed.receipt().address);
}

/** What is known of the model that the layers make, and of another one. */
interface Known {
  readonly actual: ActualRises | undefined;
  readonly before: MeasuredModel | undefined;
}

async function* predictAll(
  statistics: readonly ArtifactStream[],
  layers: readonly ArtifactStream[],
  model: Model,
  { actual, before }: Known,
  { signal, warn, progress, threads }: StageContext,
): AsyncGenerator<DamageRecord> {
  const blas = createBlas({ threads });
  const scratch = new ScratchFile();
  try {
    const written = new ScratchLayers(model, scratch);
    for (const stream of layers) await addChecked(written, stream, actual);
    if (actual && !actual.layers.has(actual.scored)) {
      warn(`the scores do not say which layers made ${actual.scored}: it is taken that these did; evaluate again to be sure`);
    }
    const total = written.sites.length;
    const finished = new FinishedSites();
    let current: SiteLanguages | undefined;
    let changes: readonly WeightChange[] = [];
    const embeddings = new EmbeddingsCosts();
    for await (const found of statisticsOf(statistics, model)) {
      const statistic = embeddings.take(found, model.hiddenSize);
      if (statistic === undefined) continue;
      const { block, site, width } = statistic;
      if (signal.aborted) throw new InterruptedError("predict: stopped");
      if (!written.has(block, site)) continue;
      if (current?.block !== block || current.site !== site) {
        if (current) finished.add(current);
        if (finished.has(block, site)) {
          throw new BadDataError(`statistics of ${block} ${site} come twice; give them once`, { block, site });
        }
        current = new SiteLanguages(statistic);
        changes = await written.read(block, site, width);
      }
      if (!current.take(statistic)) continue;
      progress({ activity: `predict ${block}`, done: finished.count, total, unit: "sites" });
      for (const record of await languageDamage(blas, changes, statistic, embeddings.of(statistic))) {
        before?.requireAlike(record);
        yield record;
      }
    }
    if (current) finished.add(current);
    const missing = written.sites.find(([block, site]) => !finished.has(block, site));
    if (missing) {
      const [block, site] = missing;
      throw new BadDataError(`no statistics of ${block} ${site}, which the layers change; give those of every block`, {
        block,
        site,
      });
    }
    before?.requireAll();
    if (finished.diagonals > 0) {
      warn(
        `${finished.diagonals} of ${finished.count} sites know only the diagonal of each language; their damage takes channels as uncorrelated`,
      );
    }
  } finally {
    scratch.close();
    await blas.release();
    await model.close();
  }
}

/** Stage `predict`: what layers do to the outputs of each language, without running the model. */
export const predict: Stage = {
  name: "predict",
  summary: "Predict from statistics and layers what compression does to each language, without evaluating.",
  examples: [
    "mbs predict --model M --layers layers.arrow < statistics.arrow > damage.arrow",
    "mbs predict --model M --layers layers.arrow --scores scores.arrow < statistics.arrow > measured.arrow",
    "mbs predict --model M --layers other.arrow --measured measured.arrow < statistics.arrow",
  ],
  inputs: {
    statistics: { kinds: ["statistics"], many: true, description: "statistics of each language, of one block or of all" },
    layers: { kinds: ["layers"], many: true, description: "output of `mbs compress`" },
    scores: {
      kinds: ["scores"],
      optional: true,
      description: "scores of the dense model and the one that the layers made: what languages lost beside their damage",
    },
    measured: {
      kinds: ["damage"],
      optional: true,
      description:
        "what predict --scores wrote for another compression of the same model by the same method: losses are predicted from what that one lost",
    },
  },
  outputs: { damage: { kind: "damage", description: "damage to the output of each site, tensor and language" } },
  options,
  async run(inputs, raw, context) {
    const { model: folder, compressed } = parseOptions(options, raw, "predict");
    const { statistics = [], layers = [], scores = [], measured = [] } = inputs;
    if (statistics.length === 0 || layers.length === 0) throw new UsageError("predict: give it statistics and layers");
    if (compressed !== undefined && scores.length === 0) {
      throw new UsageError("--compressed goes with --scores", { option: "--compressed" });
    }
    const solvers = [...new Set(layers.map(({ schema }) => parseMetadata("layers", schema).solver))];
    const model = await openModel(folder, context);
    try {
      const actual = scores[0] ? await readRises(scores[0], model.address, compressed) : undefined;
      const before = measured[0] && (await readMeasured(measured[0], model));
      return {
        damage: encodeDamage(predictAll(statistics, layers, model, { actual, before }, context), {
          model: model.address,
          solver: solvers.join(", "),
          scored: actual?.scored ?? "",
          lossRises: actual?.lossRises,
          lossIntervals: actual?.lossIntervals,
          measured: before?.about,
        }),
      };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
