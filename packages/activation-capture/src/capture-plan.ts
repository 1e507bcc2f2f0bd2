import { inputSite } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import type { Block } from "@mbs/models";
import type { SitePlan } from "./language-statistics.ts";

/**
 * The sites to capture in a block: all of them and its input, or those asked for.
 *
 * @param hiddenSize width of the block's input
 * @throws {UsageError} on an unknown site
 */
export function chooseSites(
  block: Block,
  hiddenSize: number,
  wanted: readonly string[] | undefined,
): readonly { site: string; width: number }[] {
  const input = { site: inputSite, width: hiddenSize };
  const all = [input, ...block.sites.map(({ name, width }) => ({ site: name, width }))];
  const unknown = wanted?.find((name) => !all.some(({ site }) => site === name));
  if (unknown !== undefined) {
    const known = all.map(({ site }) => site).join(", ");
    throw new UsageError(`--site ${unknown}: block ${block.name} has ${known}`, { option: "--site", site: unknown });
  }
  return wanted === undefined ? all : all.filter(({ site }) => wanted.includes(site));
}

export interface CapturePlan {
  readonly sites: readonly SitePlan[];
  /** Whether the languages share one Gram a site. */
  readonly pooled: boolean;
}

/** What is asked of a capture. */
export interface CaptureRequest {
  readonly statistics: "gram" | "diagonal";
  /** Of each language, or one of their mix. */
  readonly grams: "languages" | "pooled";
  /** Bytes for the Grams of a block. */
  readonly budget: number;
  /** Whether sites with a Gram are compared with the dense model. */
  readonly cross: boolean;
  /** Whether the input of each token is divided by its root mean square. */
  readonly normalised: boolean;
}

/**
 * What is gathered at each site: a Gram of every language, or, where one is asked for or these exceed the budget, one Gram of
 * all languages and the diagonal of each. A block's own input has a diagonal only, of the states as they are.
 *
 * @param languages how many there are
 */
export function planBlock(
  sites: readonly { site: string; width: number }[],
  languages: number,
  { statistics, grams: asked, budget, cross, normalised }: CaptureRequest,
): CapturePlan {
  const grams = sites.filter(({ site }) => statistics === "gram" && site !== inputSite);
  const crossBytes = (width: number): number => (cross ? 4 * width * width : 0);
  const bytes = grams.reduce((sum, { width }) => sum + 2 * width * (width + 1) + crossBytes(width), 0) * languages;
  const pooled = grams.length > 0 && (asked === "pooled" || bytes > budget);
  const plans = sites.map(({ site, width }) => {
    const gram = statistics === "gram" && site !== inputSite;
    return { site, width, gram, diagonal: !gram || pooled, cross: cross && gram, normalised: normalised && site !== inputSite };
  });
  return { sites: plans, pooled };
}
