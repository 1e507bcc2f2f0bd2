export type { Corpus, CorpusDocument } from "./corpus.ts";
export { parseDistribution, presetNames, readDistribution } from "./mixes/distribution.ts";
export type { Distribution, DistributionUnit } from "./mixes/distribution.ts";
export { alphaBounds, parseAlpha, parseMix } from "./mixes/mix.ts";
export type { Mix } from "./mixes/mix.ts";
export { openCorpus } from "./open-corpus.ts";
export type { OpenCorpusOptions } from "./open-corpus.ts";
export { requireCounts, sharesOf } from "./mixes/shares.ts";
export type { ShareSources } from "./mixes/shares.ts";
