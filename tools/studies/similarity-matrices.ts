import { at } from "@mbs/contracts";
import { allSites, collect, inputSite, readSimilarities } from "@mbs/artifacts";
import type { SquareMatrix } from "./mantel.ts";
import type { Pool } from "./pool.ts";

/** How alike two languages are; larger means nearer. The first is the paper's. */
export const similarityMeasures = [
  "cosine at the first input",
  "cosine at all sites",
  "normalised trace",
  "shared subspace",
] as const;
type SimilarityMeasure = (typeof similarityMeasures)[number];

const isEverywhere = ({ site }: { readonly site: string }): boolean => site === allSites;

/** Each similarity of the pool between every two languages, in the order given; by share where absent. */
export async function similarityMatrices(
  { statistics, subject }: Pool,
  languages: readonly string[] = [...subject.shares.keys()],
): Promise<ReadonlyMap<SimilarityMeasure, SquareMatrix>> {
  const { lab } = subject;
  const { similarity } = await lab.once(
    { name: "similarity", settings: { sites: "all" }, inputs: { statistics: [statistics] } },
    async () => ({
      similarity: await lab.run("similarity", { sites: "all" }, { statistics: [statistics] }),
    }),
  );
  const records = await collect(readSimilarities(await lab.open(similarity)));
  const matrixOf = (measure: string, belongs: (record: (typeof records)[number]) => boolean): SquareMatrix => {
    const values = new Map<string, number>();
    for (const record of records) {
      if (record.measure !== measure || !belongs(record)) continue;
      values.set(`${record.first} ${record.second}`, record.value);
      values.set(`${record.second} ${record.first}`, record.value);
    }
    return languages.map((first) =>
      languages.map((second) => (first === second ? NaN : (values.get(`${first} ${second}`) ?? NaN))),
    );
  };
  const firstStep = at(records, 0).step;
  return new Map([
    [similarityMeasures[0], matrixOf("cosine", ({ step, site }) => step === firstStep && site === inputSite)],
    [similarityMeasures[1], matrixOf("cosine", isEverywhere)],
    [similarityMeasures[2], matrixOf("gram", isEverywhere)],
    [similarityMeasures[3], matrixOf("subspace:16", isEverywhere)],
  ]);
}
