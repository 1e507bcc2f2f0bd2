import { at } from "@mbs/contracts";
import type { Plot } from "../page/section.ts";
import { renderPlot } from "../plots/render-plot.ts";
import { formatShare } from "../numbers.ts";
import type { BlockExperts } from "./expert-usage.ts";

/** A picture of more cells than this is no longer read, and makes a page slow. */
const mostWidth = 900;

/** The experts of a block, those side by side that the same languages use: by the mean place of their tokens among the languages. */
function expertOrder(block: BlockExperts, languages: readonly string[]): readonly number[] {
  const places = Array.from({ length: block.experts }, (_, expert) => {
    const shares = languages.map((language) => at(block.languages.get(language)?.shares ?? [0], expert));
    const sum = shares.reduce((total, share) => total + share, 0);
    return shares.reduce((total, share, place) => total + share * place, 0) / (sum || 1);
  });
  return [...places.keys()].sort((a, b) => at(places, a) - at(places, b));
}

/**
 * A heat map of one block: a row a language, a column an expert, bright where many of the language's tokens go through it.
 *
 * @param languages in the order of the rows
 */
export function plotExperts(block: BlockExperts, languages: readonly string[]): Promise<Plot> {
  const order = expertOrder(block, languages);
  const rows = languages.flatMap((language) =>
    order.map((expert) => {
      const share = at(block.languages.get(language)?.shares ?? [], expert);
      return { block: block.block, language, expert: String(expert), share };
    }),
  );
  const most = Math.max(...rows.map(({ share }) => share));
  const step = Math.max(4, Math.min(28, Math.floor(mostWidth / block.experts)));
  const hasLabels = step >= 14;
  const spec = {
    title: block.block,
    width: { step },
    height: { step: 18 },
    mark: "rect",
    encoding: {
      x: {
        field: "expert",
        type: "nominal",
        scale: { domain: order.map(String) },
        axis: { title: `${block.experts} experts`, labels: hasLabels, ticks: hasLabels, labelAngle: 0 },
      },
      y: { field: "language", type: "nominal", scale: { domain: [...languages] }, title: null },
      color: {
        field: "share",
        type: "quantitative",
        scale: { scheme: "viridis", domain: [0, most] },
        legend: { title: "share of the language's tokens", format: ".0%", orient: "bottom" },
      },
    },
  };
  const even = formatShare(block.used / block.experts);
  const label = `heat map: experts of ${block.block} by language; an even share is ${even}, the largest ${formatShare(most)}`;
  return renderPlot(spec, rows, label);
}
