import { UsageError } from "@mbs/contracts";

/**
 * Share of each language, sum 1: by tokens, or by the weights of `--mix`, in which a language not named has none.
 *
 * @param mix items such as "en=0.4"; undefined for tokens
 * @throws {UsageError} on a malformed item or a language that has no segments
 */
export function mixShares(
  mix: readonly string[] | undefined,
  segments: ReadonlyMap<string, readonly { readonly rows: number }[]>,
): ReadonlyMap<string, number> {
  const weights = new Map([...segments].map(([language, own]) => [language, own.reduce((sum, { rows }) => sum + rows, 0)]));
  if (mix !== undefined) {
    for (const language of weights.keys()) weights.set(language, 0);
    for (const item of mix) {
      const [language = "", text = ""] = item.split("=");
      const weight = text.trim() === "" ? NaN : Number(text);
      if (!weights.has(language) || !Number.isFinite(weight) || weight < 0) {
        throw new UsageError(
          `--mix ${item}: give LANG=WEIGHT with one of ${[...weights.keys()].join(", ")} and a weight of at least 0`,
          {
            option: "--mix",
          },
        );
      }
      weights.set(language, weight);
    }
  }
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  if (total <= 0) throw new UsageError("--mix has no weight above 0", { option: "--mix" });
  return new Map([...weights].map(([language, weight]) => [language, weight / total]));
}
