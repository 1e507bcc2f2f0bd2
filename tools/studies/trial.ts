import { collect, damageByLanguage, readDamage, readScores } from "@mbs/artifacts";
import type { DamageByLanguage, Score } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import { scoresReport } from "@mbs/evaluation";
import type { Method } from "./methods.ts";
import { segmentLength } from "./pool.ts";
import type { Pool } from "./pool.ts";
import type { Subject } from "./subject.ts";

/** Held-out windows of a language that are scored. */
export const windows = 8;

/** Weight of each language; the weights of a pool's tokens where absent. */
export type Weights = ReadonlyMap<string, number>;

/** A model compressed once, and what that did to each language. */
export interface Trial {
  /** Language → rise of perplexity above the dense model, a fraction. */
  readonly rises: ReadonlyMap<string, number>;
  /** Rise of the geometric mean perplexity over languages. */
  readonly unweighted: number;
  /** The same with languages weighted by the training mixture. */
  readonly weighted: number;
  readonly worst: { readonly language: string; readonly rise: number };
}

const formatWeights = (weights: Weights): string =>
  [...weights].map(([language, weight]) => `${language}=${Number(weight.toPrecision(6))}`).join(",");

async function scoreFolder(subject: Subject, folder: string, label: string): Promise<string> {
  return subject.lab.run("evaluate", {
    model: [folder],
    labels: [label],
    corpus: subject.heldOut,
    length: segmentLength,
    windows,
  });
}

const evaluation = ({ heldOutAddress }: Subject): Record<string, unknown> => ({
  corpus: heldOutAddress,
  length: segmentLength,
  windows,
});

async function scoresOf({ lab }: Subject, address: string): Promise<Score[]> {
  return collect(readScores(await lab.open(address)));
}

/** Scores of the dense model, made once. */
export async function denseScores(subject: Subject): Promise<Score[]> {
  const work = { name: "dense", settings: { ...evaluation(subject), model: subject.address }, inputs: {} };
  const { scores } = await subject.lab.once(work, async () => ({ scores: await scoreFolder(subject, subject.folder, "dense") }));
  return scoresOf(subject, scores);
}

/** The layers of a method with a mix of a pool (dense propagation), and the settings that they were made with. */
function compression({ subject, statistics }: Pool, method: Method, weights: Weights | undefined) {
  const { lab, folder: model } = subject;
  const mix = weights === undefined ? {} : { mix: formatWeights(weights) };
  const inputs = { statistics: [statistics] };
  return {
    settings: { factor: { ...method.factor, ...mix }, compress: method.compress },
    inputs,
    /** Lends the layers to `use`; they are made again where they are wanted again, which is cheaper than keeping them. */
    withLayers: async <T>(use: (layers: string) => Promise<T>): Promise<T> => {
      const factors = await lab.run("factor", { ...method.factor, ...mix }, inputs);
      const layers = await lab.run("compress", { model, ...method.compress }, { factors: [factors] });
      await lab.remove(factors);
      try {
        return await use(layers);
      } finally {
        await lab.remove(layers);
      }
    },
  };
}

/** Predicts what a mix does to each language, from the pool's statistics alone. */
export async function predictTrial(pool: Pool, method: Method, weights?: Weights): Promise<DamageByLanguage> {
  const { lab, folder: model } = pool.subject;
  const { settings, inputs, withLayers } = compression(pool, method, weights);
  const { damage } = await lab.once({ name: "prediction", settings, inputs }, () =>
    withLayers(async (layers) => ({ damage: await lab.run("predict", { model }, { ...inputs, layers: [layers] }) })),
  );
  return damageByLanguage(await collect(readDamage(await lab.open(damage))));
}

/**
 * Compresses with a mix of a pool (dense propagation) and scores held-out texts.
 *
 * @param weights the mix; default: as the pool's tokens are
 */
export async function runTrial(pool: Pool, method: Method, weights?: Weights): Promise<Trial> {
  const { subject } = pool;
  const { lab, folder: model } = subject;
  const { settings, inputs, withLayers } = compression(pool, method, weights);
  const work = { name: "trial", settings: { ...evaluation(subject), ...settings }, inputs };
  const made = await lab.once(work, () =>
    withLayers(async (layers) => {
      const files = await lab.stream("assemble", { model }, { layers: [layers] });
      return { scores: await lab.withModel(files, (folder) => scoreFolder(subject, folder, "compressed")) };
    }),
  );
  const scores = [...(await denseScores(subject)), ...(await scoresOf(subject, made.scores))];
  const report = scoresReport(scores, { shares: Object.fromEntries(subject.shares), reference: "dense" });
  const averages = report.averages.find(({ model: label }) => label === "compressed");
  const [unweighted, weighted, worst] = [averages?.unweighted.rise, averages?.weighted?.rise, averages?.worstRise];
  if (unweighted === undefined || weighted === undefined || worst === undefined)
    throw new InternalError("a trial without averages");
  return {
    rises: new Map(report.pairs.map(({ language, rise }) => [language, rise])),
    unweighted,
    weighted,
    worst,
  };
}
