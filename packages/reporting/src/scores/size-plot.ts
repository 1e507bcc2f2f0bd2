import { isSmaller } from "@mbs/contracts";
import { figures } from "./averages-plot.ts";
import type { FigureRise } from "./averages-plot.ts";
import { palette } from "../plots/palette.ts";
import { scatterPlots } from "../plots/scatter-plot.ts";
import type { Plot } from "../page/section.ts";

/** A figure of a model and the model's size. */
export interface SizedRise extends FigureRise {
  /** Weight files on disk. */
  readonly bytes: number;
}

/**
 * Models that no other beats by both size and figure: the choices worth thinking about.
 *
 * @param source bytes of the model that rises are above: one that is as large and no better is beaten by it
 */
export const onFrontier = (rise: SizedRise, all: readonly SizedRise[], source: number | undefined): boolean =>
  (source === undefined || rise.rise < 0 || isSmaller(rise.bytes, source)) &&
  !all.some(
    (other) =>
      other.figure === rise.figure &&
      other.bytes <= rise.bytes &&
      other.rise <= rise.rise &&
      (other.bytes < rise.bytes || other.rise < rise.rise),
  );

/** Size on disk against each of the three figures, a picture each; models that no other beats by both have their names. */
export function plotSizes(rises: readonly SizedRise[], reference: string, source: number | undefined): Promise<Plot[]> {
  const largest = Math.max(...rises.map(({ bytes }) => bytes));
  const [unit, divisor] = largest >= 1e9 ? ["GB", 1e9] : ["MB", 1e6];
  const panels = figures
    .map((figure) => ({ figure, own: rises.filter((rise) => rise.figure === figure) }))
    .filter(({ own }) => own.length > 0)
    .map(({ figure, own }) => {
      const rows = own.map((rise) => ({ ...rise, frontier: onFrontier(rise, rises, source) }));
      const names = rows.filter(({ frontier }) => frontier).map(({ model }) => model);
      return {
        title: figure,
        points: rows.map(({ model, bytes, rise, low, high, frontier }) => ({
          x: bytes / divisor,
          y: rise,
          interval: [low, high] as const,
          text: frontier ? model : "",
          colour: frontier ? palette[0] : palette[1],
        })),
        label: `size on disk against rise of perplexity above ${reference}, ${figure}: ${own.length} models; ${names.length === 0 ? "each beaten by another" : `${names.join(", ")} beaten by none`}`,
        rows,
      };
    });
  return scatterPlots(panels, `weight files, ${unit}`);
}
