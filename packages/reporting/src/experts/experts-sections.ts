import type { NumbersByName } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { CollectedOf } from "../collected.ts";
import { byTrainingShare } from "../language-order.ts";
import { formatShare } from "../numbers.ts";
import type { CaptionedTable, Section, SectionNames } from "../page/section.ts";
import { alikeOrder } from "../similarity/similarity-matrix.ts";
import type { SimilarityMatrix } from "../similarity/similarity-matrix.ts";
import { headings } from "../terminal/table.ts";
import { plotExperts } from "./experts-plot.ts";
import { languageUsage, routingOverlap, starvedExperts } from "./expert-usage.ts";
import type { BlockExperts, StarvedExpert } from "./expert-usage.ts";

/** Starved experts that are named one by one at most. */
const mostNamed = 100;

/** How much of their routing languages have in common, the mean over blocks. */
function overlapMatrix(blocks: readonly BlockExperts[]): SimilarityMatrix {
  const languages = languageUsage(blocks).map(({ language }) => language);
  const meanOverlap = (row: string, column: string): number => {
    const overlaps = blocks.flatMap(({ languages: own }) => {
      const [one, other] = [own.get(row), own.get(column)];
      return one && other ? [routingOverlap(one, other)] : [];
    });
    return overlaps.reduce((sum, overlap) => sum + overlap, 0) / overlaps.length;
  };
  const values = languages.map((row) => languages.map((column) => (row === column ? 1 : meanOverlap(row, column))));
  return { block: "*", site: "*", measure: "routing overlap", languages, values };
}

/** The first block, that in the middle and the last. */
function shownBlocks(blocks: readonly BlockExperts[]): readonly BlockExperts[] {
  const places = [0, Math.floor(blocks.length / 2), blocks.length - 1];
  return [...new Set(places)].map((place) => at(blocks, place));
}

function overlapTable({ languages, values }: SimilarityMatrix, order: readonly string[]): CaptionedTable {
  const cell = (row: string, column: string): string =>
    row === column ? "·" : formatShare(at(at(values, languages.indexOf(row)), languages.indexOf(column)));
  return {
    caption: "Tokens of two languages that go through the same experts, mean over blocks",
    table: {
      columns: headings(["language"], order),
      rows: order.map((row) => [row, ...order.map((column) => cell(row, column))]),
    },
    open: order.length <= 12,
  };
}

function starvedTable(starved: readonly StarvedExpert[]): CaptionedTable[] {
  if (starved.length === 0) return [];
  const named = starved.slice(0, mostNamed);
  const all = named.length === starved.length ? "" : `, the first ${named.length} of ${starved.length}`;
  return [
    {
      caption: `Starved experts: fewer tokens than channels${all}`,
      table: {
        columns: headings(["block"], ["expert", "tokens", "channels"]),
        rows: named.map(({ block, expert, reached, width }) => [block, String(expert), String(reached), String(width)]),
      },
      open: starved.length <= 12,
    },
  ];
}

/**
 * Which experts each language uses, and how evenly; nothing for a model without experts.
 *
 * @param shares of the training; tables follow them where they are known
 */
export async function expertsSections(
  { experts: blocks }: CollectedOf<"statistics">,
  names: SectionNames,
  shares?: NumbersByName,
): Promise<Section[]> {
  const [first] = blocks;
  if (first === undefined) return [];
  const matrix = overlapMatrix(blocks);
  const alike =
    matrix.languages.length < 2
      ? matrix.languages
      : alikeOrder({ ...matrix, measure: "cosine" }).map((index) => at(matrix.languages, index));
  const order = byTrainingShare(alike, (language) => language, shares);
  const usage = byTrainingShare(languageUsage(blocks), ({ language }) => language, shares);
  const starved = starvedExperts(blocks);
  const all = blocks.reduce((sum, { experts }) => sum + experts, 0);
  return [
    {
      id: names.id("experts"),
      title: names.title("Experts by language"),
      texts: [
        `Each token goes through ${first.used} of the ${first.experts} experts of a block. Rows of languages that use other experts than the rest are bright where the rest is dark. An expert that no text reaches is compressed without knowing what it reads.`,
        starved.length === 0
          ? `All ${all} experts were reached by as many tokens as they have channels.`
          : `${starved.length} of ${all} experts were reached by fewer tokens than they have channels: sample more text of the languages that use them (mbs sample --cover-experts).`,
      ],
      plots: await Promise.all(shownBlocks(blocks).map((block) => plotExperts(block, alike))),
      tables: [
        {
          caption: "Experts that each language uses",
          table: {
            columns: headings(["language"], ["tokens", "experts in even use", "not reached", "fewer tokens than channels"]),
            rows: usage.map(({ language, tokens, effective, unreached, few }) => [
              language,
              String(tokens),
              `${effective.toFixed(1)} of ${first.experts}`,
              `${unreached} of ${all}`,
              `${few} of ${all}`,
            ]),
          },
          open: true,
        },
        ...(order.length < 2 ? [] : [overlapTable(matrix, order)]),
        ...starvedTable(starved),
      ],
      data: blocks.flatMap(({ block, languages }) =>
        [...languages].flatMap(([language, own]) =>
          [...own.shares].map((share, expert) => ({ block, language, expert, share, tokens: own.tokens })),
        ),
      ),
    },
  ];
}
