import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { DrawnRow } from "./draws.ts";
import { twelveLanguages } from "./languages.ts";
import { namedOutcomes, namedTable, outcomeTable, unitsTable } from "./languages-outcomes.ts";
import type { WrittenLanguage, WrittenRow } from "./row-files.ts";
import { writtenTable } from "./written-tables.ts";

/** Rises of two windows of each language about a loss, that of the first language higher by `worst`. */
function row(mix: string, draw: number, loss: number, worst: number): DrawnRow {
  const rises = Object.fromEntries(
    twelveLanguages.map(({ tag }, place) => {
      const own = loss + 0.001 * draw + (place === 0 ? worst : 0);
      return [tag, [own - 0.001, own + 0.001]];
    }),
  );
  return { method: "gptq-3", mix, draw, rises };
}

const linesOf = (table: string): readonly (readonly string[])[] =>
  table
    .split("\n")
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()));

test("losses in other units, by which another language may lose most", () => {
  // the first loses most by tokens; its tokens have ten times the bytes, and it has little to lose
  const dense = Object.fromEntries(
    twelveLanguages.map(({ tag }, place) => [tag, place === 0 ? { bytes: 20, nats: 10 } : { bytes: 2, nats: 4 }]),
  );
  const [first = ""] = twelveLanguages.map(({ tag }) => tag);
  const [line = []] = linesOf(unitsTable([row("equal", 0, 0.4, 0.4)], "gptq-3", dense));
  const [, mix, draws, ...cells] = line;
  assert.equal([mix, draws], ["equal", "1"]);
  const bits = 0.4 / 2 / Math.LN2;
  const meanBits = (11 * bits + 0.8 / 20 / Math.LN2) / 12;
  assert.equal(cells.slice(0, 3), [((0.8 + 11 * 0.4) / 12).toFixed(2), meanBits.toFixed(3), "10%"]);
  const second = twelveLanguages[1]?.tag;
  assert.equal(cells.slice(3, 6), [`0.80 ${first}`, `${bits.toFixed(3)} ${second}`, `10% ${second}`]);
});

const byShares = "`mbs mix --importance shares`";

/** The first cell of the worst language, of equal against proportional text in some draws. */
const cellOf = (draws: readonly number[], step = 0.1): string | undefined => {
  const rows = draws.flatMap((draw) => [row("equal", draw, 0.4, 0.3 + draw * step), row("proportional", draw, 0.6, 0.3)]);
  return linesOf(outcomeTable(rows, namedOutcomes)).map(([, , , , , worst = ""]) => worst.trim())[0];
};

test("of one draw there is the value alone and of two both, without an interval or a star", () => {
  assert.is(cellOf([0]), "−0.20");
  assert.is(cellOf([0, 1]), "−0.20 and −0.10");
  assert.is(cellOf([0, 1], 0), "−0.20 and −0.20", "also where both are the same");
  assert.match(cellOf([0, 1, 2]) ?? "", /^−0\.10 \(/);
});

test("what differs in every draw has a star, but for what was named before the run", () => {
  const rows = [0, 1, 2, 3, 4].flatMap((draw) => [
    row("found", draw, 0.4, 0.1),
    row("equal", draw, 0.45, 0.2),
    row("proportional", draw, 0.6, 0.3),
  ]);
  const lines = linesOf(outcomeTable(rows, namedOutcomes));
  assert.equal(
    lines.map(([, , mix, against, draws]) => [mix, against, draws]),
    [
      [byShares, "equal", "5"],
      [byShares, "proportional", "5"],
      ["equal", "proportional", "5"],
    ],
  );
  const [named, others, equal] = lines.map(([, , , , , worst = "", mean = ""]) => ({ worst, mean }));
  assert.match(named?.worst ?? "", /^−0\.15 [^*]*$/);
  for (const text of [named?.mean, others?.worst, others?.mean, equal?.worst, equal?.mean]) assert.match(text ?? "", /\*$/);
});

test("what was named has its own draws, and a language that loses most in one unit may not in another", () => {
  const [first = ""] = twelveLanguages.map(({ tag }) => tag);
  // the first language loses most in nats a token, and least in bits a byte; a mix that helps it gains nothing there
  const dense = Object.fromEntries(twelveLanguages.map(({ tag }) => [tag, { bytes: tag === first ? 20 : 2, nats: 4 }]));
  const rows = [0, 1, 2, 3, 4].flatMap((draw) => [
    row("found", draw, 0.4, 0.2),
    row("equal", draw, 0.4, 0.4),
    row("found-alike", draw, 9, 9),
  ]);
  const lines = linesOf(namedTable(rows, "gptq-3", dense, namedOutcomes));
  assert.is(lines.length, 1);
  const [, mix, draws, nats, chance, bits, share] = at(lines, 0);
  assert.equal([mix, draws, chance], [byShares, "0 to 4", "0.000"]);
  assert.match(nats ?? "", /^−0\.20 /);
  assert.match(bits ?? "", /^\+?−?0\.000 /);
  assert.match(share ?? "", /^−5\.0 /);
});

test("what models write is a mean over languages, with the one that keeps its language least", () => {
  const usual: WrittenLanguage = { kl: 1, same: 0.5, kept: 1, keptByDense: 1, repeated: 0.25, repeatedByDense: 0.5, agrees: 0.1 };
  const made: WrittenRow = {
    method: "gptq-3",
    mix: "equal",
    draw: 0,
    languages: { de: usual, km: { ...usual, kl: 3, kept: 0.5 } },
  };
  const lines = linesOf(writtenTable([made]));
  assert.equal(at(lines, 0).slice(1, -1), ["dense model", "", "0", "100%", "100%", "100%", "", "50%"]);
  assert.equal(at(lines, 1).slice(1, -1), ["GPTQ 3 bits", "equal", "2.00", "50%", "10%", "75%", "km 50%", "25%"]);
});

test.run();
