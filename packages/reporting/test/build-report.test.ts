import { encodeErrors, encodeScores, encodeSegments, encodeSimilarities } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildReport } from "../src/build-report.ts";
import { makeErrors, makeScores, makeSimilarities } from "./fixtures.ts";

const scores = encodeScores(makeScores(["dense", "<b>gptq</b>"]), {
  corpus: "",
  length: 11,
  bos: "auto",
  shares: { en: 1, mr: 1, te: 1 },
});
const similarity = encodeSimilarities(makeSimilarities(), { model: "" });

/** Every tag that is opened is closed, in order. */
function unclosed(html: string): string[] {
  const open: string[] = [];
  for (const [, closing, name, self] of html.matchAll(/<(\/?)([a-zA-Z][\w-]*)(?:"[^"]*"|[^>"])*?(\/?)>/g)) {
    if (self === "/" || name === "meta") continue;
    if (closing === "") open.push(name);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
}

test("one whole page with plots, tables behind them and nothing from elsewhere", async () => {
  const page = await buildReport([
    { name: "scores.arrow", stream: scores },
    { name: "similarity.arrow", stream: similarity },
  ]);
  assert.equal(unclosed(page), []);
  assert.is(page.match(/<svg role="img" aria-label="/g)?.length, 2);
  assert.is(page.match(/<svg[^>]* width="/g), null, "pictures shrink on a phone");
  assert.ok((page.match(/<table>/g)?.length ?? 0) >= 4);
  assert.not.match(page, /<script|<link|<img|src=|href=|@import|url\((?!#)/);
  assert.match(page, /prefers-color-scheme:dark/);
  assert.match(page, /name="viewport"/);
  assert.match(page, /&lt;b&gt;gptq&lt;\/b&gt;/);
  assert.not.match(page, /<b>gptq/);
  assert.not.match(page, /NaN|undefined|Infinity/);
});

test("predicted errors: heat map by block and language, table behind it, scatter where scores were given", async () => {
  const rises = { en: 0.1, fr: 0.2, mr: 0.3, te: 0.9 };
  const metadata = { model: "", solver: "gptq", scored: "small", rises };
  const page = await buildReport([{ name: "errors", stream: encodeErrors(makeErrors(), metadata) }]);
  assert.equal(unclosed(page), []);
  assert.is(page.match(/<svg role="img" aria-label="/g)?.length, 2);
  assert.is(page.match(/<table>/g)?.length, 3);
  assert.match(page, /heat map of the predicted error by block and language/);
  assert.match(page, /Spearman 1\.00/);
  assert.not.match(page, /NaN|undefined|Infinity/);
  const bare = await buildReport([
    { name: "errors", stream: encodeErrors(makeErrors(), { ...metadata, scored: "", rises: undefined }) },
  ]);
  assert.is(bare.match(/<svg role="img" aria-label="/g)?.length, 1);
  assert.match(bare, /No scores were given/);
});

test("similarities of all sites: the first input, and the mean over all by each measure", async () => {
  const places = [
    ["h.0", "input", "degrees"],
    ["h.0", "mlp-up", "subspace:16"],
    ["*", "*", "degrees"],
    ["*", "*", "subspace:16"],
  ];
  const records = places.flatMap(([step, site, measure], index) =>
    makeSimilarities().map((record) => ({
      ...record,
      step,
      site,
      measure,
      value: record.value / (measure === "degrees" ? 1 + index : 100),
    })),
  );
  const page = await buildReport([{ name: "all", stream: encodeSimilarities(records, { model: "" }) }]);
  assert.is(page.match(/<svg role="img" aria-label="/g)?.length, 3);
  const one = await buildReport([{ name: "all", stream: encodeSimilarities(records, { model: "" }) }], "one", {
    measure: "subspace",
    place: { step: "h.0", site: "mlp-up" },
  });
  assert.is(one.match(/<svg role="img" aria-label="/g)?.length, 1);
  assert.ok(one.includes("directions of languages, mlp-up of h.0"));
  for (const title of ["input of h.0", "degrees, mean over all sites", "overlap of the 16 leading directions"])
    assert.ok(page.includes(title), title);
});

test("refuses an artifact that reports nothing", async () => {
  const metadata = { tokenizer: "", corpus: "", distribution: "", length: 1, seed: 0, mix: "equal", counts: {}, shortfall: {} };
  const error = await buildReport([{ name: "s.arrow", stream: encodeSegments([], metadata) }]).catch((thrown: unknown) => thrown);
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /s\.arrow holds segments/);
});

test.run();
