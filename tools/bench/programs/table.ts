/**
 * Writes what run.ts has measured into docs/performance.md, between `<!-- bench programs -->` and `<!-- end -->`, and the
 * operations of the same cases, between `<!-- bench operations -->` and `<!-- end -->`.
 *
 * usage: node --conditions=mbs-source --import tsx tools/bench/programs/table.ts FOLDER
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdownTable, replaceBlocks } from "../../pages/blocks.ts";
import { cases } from "./cases.ts";
import { parseMeasured, showSpread, summarise } from "./measured.ts";
import type { Spread } from "./measured.ts";
import { neededOperations, total, usualOperations } from "./operations.ts";

const [folder = ""] = process.argv.slice(2);
const summaries = summarise(parseMeasured(readFileSync(join(folder, "measured.jsonl"), "utf8")));
const mebibytes = ({ median }: Spread): string => (median / 2 ** 20).toFixed(0);
const rows = summaries.map(({ case: name, threads, repeats, ours, public: theirs }) => [
  cases.find((each) => each.name === name)?.title ?? name,
  String(threads),
  `${showSpread(theirs.processorSeconds)} : ${showSpread(ours.processorSeconds)}`,
  `**${(theirs.processorSeconds.median / ours.processorSeconds.median).toFixed(2)}**`,
  `${showSpread(theirs.seconds)} : ${showSpread(ours.seconds)}`,
  `**${(theirs.seconds.median / ours.seconds.median).toFixed(2)}**`,
  `${mebibytes(theirs.peakBytes)} : ${mebibytes(ours.peakBytes)}`,
  (ours.peakBytes.median / theirs.peakBytes.median).toFixed(2),
  String(repeats),
]);
const head = ["what", "threads", "processor seconds", "ratio", "seconds", "ratio", "peak MiB", "share", "runs"];
const peakOf = (threads: number): number =>
  (JSON.parse(readFileSync(join(folder, `peak-${threads}.json`), "utf8")) as { perProcessorSecond: number }).perProcessorSecond;
const thousandMillions = (operations: number): string => (operations / 1e9).toFixed(0);
const counted = summaries.flatMap(({ case: name, threads, ours }) => {
  const found = cases.find((each) => each.name === name);
  // the defaults have products that are not counted here
  if (found === undefined || found.source !== "gptq" || found.defaults) return [];
  const [needed, usual] = [neededOperations(found.size), usualOperations(found.size)];
  const share = total(needed) / (ours.processorSeconds.median * peakOf(threads));
  return [
    [
      found.title,
      String(threads),
      ...(["forward", "grams", "factors", "compress"] as const).map(
        (part) => `${thousandMillions(usual[part])} : ${thousandMillions(needed[part])}`,
      ),
      (total(usual) / total(needed)).toFixed(2),
      `${(100 * share).toFixed(0)}%`,
    ],
  ];
});
const countedHead = ["what", "threads", "forward", "Grams", "factors", "compress", "ratio", "share of the peak"];
const page = fileURLToPath(new URL("../../../docs/performance.md", import.meta.url));
writeFileSync(
  page,
  replaceBlocks(readFileSync(page, "utf8"), "bench", {
    programs: markdownTable(head, rows),
    operations: markdownTable(countedHead, counted),
  }),
);
