export type { Corpus, CorpusDocument } from "./corpus.ts";
export { parseDistribution, presetNames, readDistribution } from "./distribution.ts";
export type { Distribution, DistributionUnit } from "./distribution.ts";
export { openCorpus } from "./open-corpus.ts";
export type { OpenCorpusOptions } from "./open-corpus.ts";
