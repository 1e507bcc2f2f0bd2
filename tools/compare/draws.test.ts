import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  chanceOf,
  differenceOverDraws,
  figuresCombined,
  holdTogether,
  lossesOverDraws,
  overDraws,
  risesOf,
  worstOfLanguages,
} from "./draws.ts";
import type { DrawnRow, WindowRises } from "./draws.ts";
import { rowsOf } from "./rows.ts";
import { readSpent, spentFile } from "./row-files.ts";
import { drawsTable, filesTable, floatsTable } from "./tables.ts";

const test = suite("draws");

/** Two languages of six windows. @param shift of all windows @param slope between neighbouring windows */
const rises = (shift: number, slope = 0): WindowRises =>
  Object.fromEntries(
    ["en", "km"].map((language, place) => [
      language,
      Array.from({ length: 6 }, (_, window) => shift + place * 0.1 + slope * (window - 2.5)),
    ]),
  );

const close = (found: number, wanted: number, off = 1e-12): void =>
  assert.ok(Math.abs(found - wanted) < off, `${found} is not ${wanted}`);

test("rows of further draws have their number in the name and come behind all rows of the draw before", () => {
  assert.equal(
    rowsOf(["gptq-3", "rtn-3"], ["proportional"], 2).map(({ name }) => name),
    ["gptq-3 proportional", "rtn-3", "gptq-3 proportional draw 1"],
  );
});

test("rises are those of each window, and another window is refused", () => {
  const score = { model: "m", address: "a", language: "en", source: "s", window: 0, nll: 20, tokens: 10, bytes: 40 };
  assert.equal(risesOf([score], [{ ...score, nll: 25 }]), { en: [0.5] });
  assert.throws(() => risesOf([score], [{ ...score, window: 1 }]), /no such window/);
  assert.throws(() => risesOf([score], [{ ...score, tokens: 9 }]), /no such window/);
});

test("an interval over draws is Student's where windows are alike", () => {
  const { value, interval } = overDraws([0.1, 0.2, 0.3].map((shift) => rises(shift)));
  close(value, 0.25);
  // s = 0.1, n = 3, t = 4.3027
  close(interval[1] - value, 4.3027 * (0.1 / Math.sqrt(3)), 1e-5);
  close(value - interval[0], interval[1] - value);
});

test("windows that differ make an interval of draws that do not, and of one draw too", () => {
  const alike = overDraws([rises(0.2, 0.1), rises(0.2, 0.1)]).interval;
  assert.ok(alike[0] < 0.25 && alike[1] > 0.25);
  const one = overDraws([rises(0.2, 0.1)]).interval;
  // variance of a mean of six windows, the same ones in both languages: Σ (0.1 (w - 2.5))² / 5 / 6; t with 5 degrees of freedom
  const error = Math.sqrt((0.01 * 17.5) / 5 / 6);
  // of 1000 draws: their variance is known to 4.5%, its root to 2.2%, three times that
  close(one[1] - 0.25, 2.571 * error, 0.07 * 2.571 * error);
});

test("the chance of a difference is Student's, two-sided", () => {
  // quantiles of tables: 5% and 1%
  for (const [freedom, t, chance] of [
    [1, 12.706, 0.05],
    [2, 4.303, 0.05],
    [3, 5.841, 0.01],
    [4, 2.776, 0.05],
    [9, 3.25, 0.01],
    [1000, 1.962, 0.05],
  ] as const) {
    close(chanceOf(t, freedom), chance, 2e-4);
    close(chanceOf(-t, freedom), chance, 2e-4);
  }
  assert.is(chanceOf(0, 4), 1);
});

test("Holm's correction keeps what holds together, and stops at the first that does not", () => {
  // 0.02 is compared with 0.05 / 2 and holds; 0.06 against 0.05
  assert.equal(holdTogether([0.06, 0.001, 0.02]), [false, true, true]);
  // 0.03 is above 0.05 / 2, so that 0.04 is not looked at
  assert.equal(holdTogether([0.03, 0.001, 0.04]), [false, true, false]);
  assert.equal(holdTogether([0.01, 0.02, 0.04]), [true, true, true]);
  assert.equal(holdTogether([0.04, 0.001]), [true, true]);
  assert.equal(holdTogether([]), []);
});

test("range and worst language are those over draws", () => {
  const { range, worst, mean } = lossesOverDraws([rises(0.1), rises(0.4)]);
  close(range[0], 0.15);
  close(range[1], 0.45);
  assert.is(worst.language, "km");
  close(worst.value, 0.35);
  close(mean.value, 0.3);
});

test("a difference is paired by draw and window, so that what both have in common cancels", () => {
  const [first, second] = [
    [rises(0.1, 0.5), rises(0.9, 0.5)],
    [rises(0.2, 0.5), rises(1, 0.5)],
  ];
  const { mean, ahead, behind } = differenceOverDraws(first, second);
  close(mean.value, -0.1);
  close(mean.interval[1], -0.1);
  assert.equal([ahead, behind], [2, 0]);
  assert.equal(differenceOverDraws(second, first).behind, 2);
});

const row = (method: string, draw: number, shift: number): DrawnRow => ({
  method,
  mix: "proportional",
  draw,
  rises: rises(shift),
  spent: { seconds: 60, processorSeconds: 90, peakBytes: 2 ** 30 },
});

test("the table has a line for what has several draws, and compares with the best peer alone", () => {
  const table = drawsTable({
    gemma: [0, 1, 2].flatMap((draw) => [
      row("public-gptq-3", draw, 2),
      row("gptqmodel-3", draw, 1),
      row("gptq-3", draw, 0.4 + 0.01 * draw),
      ...(draw < 2 ? [row("gptq-2", draw, 1)] : []),
    ]),
  });
  const lines = table.split("\n").slice(2);
  assert.is(lines.length, 3);
  assert.match(
    lines[2] ?? "",
    /GPTQ 3 bits \| 3 \| 0\.460 \(0\.43\d to 0\.48\d\) \| 0\.450 to 0\.470 \| km 0\.510 \| 2 ahead \| 1\.5 min \| 1\.0 GiB/,
  );
});

test("figures are combined draw by draw", () => {
  const [one, other] = [
    { en: [1, 2], km: [5, 6] },
    { en: [2, 6], km: [3, 1] },
  ];
  const { value, draws } = figuresCombined(
    [
      [1, [one, one]],
      [-0.5, [other, one]],
    ],
    worstOfLanguages,
  );
  // the worst is 5.5 in the one and 4 in the other
  assert.equal(draws, [5.5 - 2, 5.5 - 2.75]);
  assert.is(value, 3.125);
});

test("files are set beside llama-quantize on the draws that both have", () => {
  const file = { seconds: 1, processorSeconds: 1, peakBytes: 1, fileBytes: 2.35e6 };
  const files = {
    gemma: [
      { ...row("gguf-IQ3_S", 0, 0.2), spent: file },
      row("gguf-IQ3_S", 1, 9),
      row("llama-quantize-IQ3_S", 0, 0.45),
      row("gguf-IQ2_S", 0, 1),
      row("gguf-IQ2_XS", 0, 1),
      row("llama-quantize-IQ2_XS", 0, 0.5),
    ],
  };
  const lines = filesTable(files).split("\n").slice(2);
  assert.is(lines.length, 2);
  assert.match(lines[0] ?? "", /gemma \| IQ3_S \| 1 \| 2\.4 MB \|  \| 0\.250 \(.*\) \| 0\.500 \(.*\) \| 0\.50 \| 2 ahead/);
  assert.match(lines[1] ?? "", /IQ2_XS .* 0 ahead, 2 behind/);
});

test("what rows took is read from a line each, and of none from no file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spent-"));
  assert.is((await readSpent(folder)).size, 0);
  const spent = { seconds: 2, processorSeconds: 3, peakBytes: 30, fileBytes: 9 };
  await writeFile(join(folder, spentFile), `${JSON.stringify({ name: "gguf-IQ3_S proportional", spent })}\n`);
  const read = await readSpent(folder);
  await rm(folder, { recursive: true });
  assert.equal([...read], [["gguf-IQ3_S proportional", spent]]);
});

test("blocks of floats are a line a solver, on the first draw", () => {
  const lines = floatsTable({ gemma: [row("gptq-NVFP4", 0, 0.1), row("gptq-NVFP4", 1, 9), row("rtn-NVFP4", 0, 0.2)] }).split(
    "\n",
  );
  assert.is(lines.length, 4);
  assert.match(lines[2] ?? "", /gemma \| GPTQ NVFP4 \| 0\.150 \(.*\) \| km 0\.200 \| 1\.5 min/);
});

test.run();
