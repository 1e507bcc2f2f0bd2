import type { DistributionEstimate } from "./estimate-distribution.ts";

const rounded = (share: number): number => Number(share.toPrecision(6));

/**
 * An estimate as a distribution.json, which `mbs sample` and others read. Languages without a share are named only in
 * `estimate`, the field with the uncertainty, which readers ignore.
 *
 * @param name of the distribution
 * @param source where tokenizer and texts come from
 */
export function distributionFile(estimate: DistributionEstimate, name: string, source: string): object {
  const { languages, ...how } = estimate;
  return {
    name,
    unit: "bytes",
    source,
    note: "Estimated from the tokenizer's merges (arXiv:2407.16607): shares of the bytes that the tokenizer was trained on, which the model's own training may differ from.",
    shares: Object.fromEntries(
      languages.filter(({ share }) => share > 0).map(({ language, share }) => [language, rounded(share)]),
    ),
    estimate: {
      ...how,
      intervals: Object.fromEntries(
        languages.flatMap(({ language, interval }) => (interval ? [[language, interval.map(rounded)]] : [])),
      ),
      texts: Object.fromEntries(languages.map(({ language, documents, bytes }) => [language, { documents, bytes }])),
    },
  };
}
