export type { Corpus, CorpusDocument } from "./corpus.ts";
export { parseDistribution, presetNames, readDistribution } from "./distribution.ts";
export type { Distribution, DistributionUnit } from "./distribution.ts";
export { alphaBounds, parseAlpha, parseMix } from "./mix.ts";
export type { Mix } from "./mix.ts";
export { openCorpus } from "./open-corpus.ts";
export type { OpenCorpusOptions } from "./open-corpus.ts";
export { requireCounts, sharesOf } from "./shares.ts";
export type { ShareSources } from "./shares.ts";
