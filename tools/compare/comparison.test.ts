import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Score } from "@mbs/artifacts";
import { lossesAgainst } from "./comparison.ts";
import { languages } from "./languages.ts";
import { formatNumbers, parseNumbers, sameNumbers } from "./numbers.ts";
import { gptqOptions, methodGroups, peers, methods, rowsOf, settings } from "./rows.ts";
import { languagesTable, natsText, optionsTable, plannedDuels, settingsTable } from "./tables.ts";

const test = suite("comparison");

const windows = 6;

/** Windows of 100 tokens in every language; `extra` nats a token above 2. */
const scoresOf = (model: string, extra: (language: string, window: number) => number): Score[] =>
  languages.flatMap(({ tag }) =>
    Array.from({ length: windows }, (_, window) => ({
      model,
      address: model,
      language: tag,
      source: "",
      window,
      nll: 100 * (2 + extra(tag, window)),
      tokens: 100,
      bytes: 400,
    })),
  );

const dense = scoresOf("dense", () => 0);

/** A row whose rise is the same in every language. */
const rowWith = (method: string, rise: number) => ({
  name: `${method} proportional`,
  method,
  mix: "proportional",
  draw: 0,
  losses: lossesAgainst([...dense, ...scoresOf(method, () => rise)], method, "dense"),
  perplexity: 1,
});

test("losses are differences in nats a token, with shares as weights", () => {
  const rises = new Map(languages.map(({ tag }, index) => [tag, 0.1 * (index + 1)]));
  const made = scoresOf("gptq-3 equal", (tag) => rises.get(tag) ?? NaN);
  const losses = lossesAgainst([...dense, ...made], "gptq-3 equal", "dense");
  for (const [tag, rise] of rises) assert.ok(Math.abs((losses.languages.get(tag)?.value ?? NaN) - rise) < 1e-9, tag);
  assert.ok(Math.abs(losses.mean.value - 0.45) < 1e-9);
  const total = languages.reduce((sum, { share }) => sum + share, 0);
  const weighted = languages.reduce((sum, { tag, share }) => sum + (share / total) * (rises.get(tag) ?? NaN), 0);
  assert.ok(Math.abs(losses.weighted.value - weighted) < 1e-9);
  assert.is(losses.worst.language, languages.at(-1)?.tag);
});

test("a loss that differs between windows has an interval around it", () => {
  const made = scoresOf("wanda-50 equal", (_, window) => 0.1 * window);
  const { value, interval } = lossesAgainst([...dense, ...made], "wanda-50 equal", "dense").mean;
  assert.ok(interval[0] < value && value < interval[1], natsText({ value, interval }));
});

test("rows of methods that look at no text are one, and every peer has a method beside it", () => {
  assert.equal(
    rowsOf(["rtn-3", "gptq-3"]).map(({ name }) => name),
    ["rtn-3", "gptq-3 english", "gptq-3 equal", "gptq-3 proportional"],
  );
  for (const { against } of Object.values(peers)) assert.ok(methods[against], against);
});

test("tables show what is there and leave out what is not", () => {
  const losses = lossesAgainst([...dense, ...scoresOf("gptq-3 equal", () => 0.5)], "gptq-3 equal", "dense");
  const row = { name: "gptq-3 equal", method: "gptq-3", mix: "equal", draw: 0, losses, perplexity: Math.exp(2.5) };
  const table = languagesTable([row], "gptq-3", new Map([["en", 7.389]]));
  assert.match(table, /\| en \| Latn \| 64% \| 7\.4 \| \+0\.50 \(0\.50 to 0\.50\) \|/);
  assert.is(plannedDuels([row]).mixes.length, 0);
});

test("a setting names what there is, and states each rise as a share of the plain program's", () => {
  for (const { plain, rows } of settings) {
    assert.ok(rows.includes(plain), plain);
    for (const name of rows) assert.ok(peers[name] ?? methods[name], name);
  }
  const spent = new Map([["gptq-3 proportional", { seconds: 400, processorSeconds: 180, peakBytes: 2 ** 30 }]]);
  const table = settingsTable([rowWith("public-gptq-3", 1), rowWith("gptq-3", 0.5)], "proportional", spent);
  assert.match(table, /\| GPTQ 3 bits \| \+0\.50 .*\| 0\.50 \|.*\| 3\.0 min \| 1\.0 GiB \|/);
  assert.match(table, /\| public GPTQ program, 3 bits \| \+1\.00 .*\| 1\.00 \|/);
});

test("a table of options leaves out what was not made", () => {
  const group = methodGroups["options-3"] ?? [];
  for (const name of group) assert.ok(gptqOptions[name], name);
  const spent = new Map([["gptq-3-sweeps proportional", { seconds: 400, processorSeconds: 180.4, peakBytes: 1 }]]);
  const lines = optionsTable([rowWith("gptq-3-all", 0.06), rowWith("gptq-3-sweeps", 1.5)], group, spent).split("\n");
  assert.equal(lines.slice(2), [
    "| order, sweeps | 1.500 (1.500 to 1.500) | 1.500 | en 1.500 | 180 |",
    "| all (the defaults) | 0.060 (0.060 to 0.060) | 0.060 | en 0.060 |  |",
  ]);
});

test("shares weigh languages as they are given", () => {
  const made = scoresOf("gptq-3 equal", (tag) => (tag === "km" ? 1 : 0));
  const shares = Object.fromEntries(languages.map(({ tag }) => [tag, tag === "km" ? 0.5 : 0.5 / (languages.length - 1)]));
  const { weighted } = lossesAgainst([...dense, ...made], "gptq-3 equal", "dense", shares);
  assert.ok(Math.abs(weighted.value - 0.5) < 1e-9);
});

test("numbers of rows are read as they were written", () => {
  const { losses, perplexity } = rowWith("gptq-3", 0.25);
  const numbers = {
    dense: new Map([["en", 12.5]]),
    rows: new Map([["gptq-3 proportional", { losses, perplexity }]]),
    spent: new Map([["gptq-3 proportional", { seconds: 3, processorSeconds: 2, peakBytes: 100 }]]),
  };
  assert.equal(parseNumbers(formatNumbers(numbers)), numbers);
});

test("dense perplexities of other texts are told apart from those of another dtype", () => {
  assert.ok(sameNumbers(new Map([["en", 12.5]]), new Map([["en", 12.50001]])));
  assert.not.ok(sameNumbers(new Map([["en", 12.5]]), new Map([["en", 12.6]])));
  assert.not.ok(sameNumbers(new Map([["en", 12.5]]), new Map([["de", 12.5]])));
});

test.run();
