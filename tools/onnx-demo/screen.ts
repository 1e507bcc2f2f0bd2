import { formatTable } from "@mbs/reporting";
import type { BrowserRun } from "./browser-run.ts";
import type { Generated } from "./node-generation.ts";
import type { PageData } from "./write-page.ts";

const speed = (generated: readonly Generated[] | undefined, index: number): string =>
  generated?.[index]?.tokensPerSecond.toFixed(0) ?? "–";

/** The models with their sizes and speeds, and what each made of every text. */
export function formatGenerated(
  { models, prompts }: PageData,
  inNode: readonly Generated[],
  inBrowser: readonly Generated[] | undefined,
): string {
  const [{ bytes: whole } = { bytes: 0 }] = models;
  const rows = models.map(({ title, bytes }, index) => [
    title,
    `${(bytes / 1e6).toFixed(1)} MB`,
    (whole / bytes).toFixed(1),
    speed(inNode, index),
    speed(inBrowser, index),
  ]);
  const titles = ["model", "onnx/", "times smaller", "tokens/s in Node", "tokens/s in Chromium"];
  const lines = [formatTable({ columns: titles.map((title, index) => ({ title, numeric: index > 0 })), rows })];
  for (const [index, { language, text }] of prompts.entries()) {
    lines.push(`${language}: ${text}`);
    for (const [place, { title }] of models.entries()) {
      lines.push(`  ${title}: …${inNode[place]?.texts[index]?.replaceAll("\n", " ⏎ ") ?? ""}`);
    }
  }
  return lines.join("\n");
}

/** How far Node and the browser wrote the same. @param picture path of the page's picture */
export function formatComparison(inNode: readonly Generated[], { version, generated }: BrowserRun, picture: string): string {
  const same = generated.flatMap(({ texts }, place) => texts.map((text, index) => text === inNode[place]?.texts[index]));
  const count = same.filter(Boolean).length;
  // with --accuracy-level 4 each processor's code cuts activations into blocks of its own
  const why = count === same.length ? "" : " (activations in 8 bits are rounded otherwise there)";
  return `Chromium ${version} and Node wrote the same in ${count} of ${same.length} texts${why}; picture: ${picture}`;
}
