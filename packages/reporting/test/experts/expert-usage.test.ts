import { encodeStatistics, expertsSite } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";
import { buildReport, ExpertUsage, formatPage, languageUsage, starvedExperts } from "@mbs/reporting";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { effectiveExperts, routingOverlap } from "../../src/experts/expert-usage.ts";

/** Of 100 tokens: en goes to the first two of four experts, te to the last two and rarely to the second. */
const shares = { en: [1, 1, 0, 0], te: [0, 0.01, 1, 0.99] };

const statistics = ["h.0", "h.1"].flatMap((block): Statistic[] => [
  ...Object.entries(shares).map(([language, own]): Statistic => ({
    block,
    site: expertsSite,
    language,
    kind: "diagonal",
    tokens: 100,
    width: 4,
    values: Float32Array.from(own),
  })),
  ...[0, 1, 2, 3].map((expert): Statistic => ({
    block,
    site: `expert-${expert}-up`,
    language: "en",
    kind: "diagonal",
    tokens: 100,
    width: 100,
    values: new Float32Array(100),
  })),
]);

function usageOf(items: readonly Statistic[]): ExpertUsage {
  const usage = new ExpertUsage();
  for (const statistic of items) usage.take(statistic);
  return usage;
}

test("tells which experts each language uses, how evenly, and which are starved", () => {
  const blocks = usageOf(statistics).blocks();
  assert.equal(
    blocks.map(({ block, experts, used, width }) => [block, experts, used, width]),
    [
      ["h.0", 4, 2, 100],
      ["h.1", 4, 2, 100],
    ],
  );
  const languages = at(blocks, 0).languages;
  const [en, te] = [languages.get("en"), languages.get("te")];
  assert.ok(en && te);
  assert.ok(Math.abs(effectiveExperts(en) - 2) < 1e-12);
  assert.ok(effectiveExperts(te) > 2 && effectiveExperts(te) < 3);
  assert.ok(Math.abs(routingOverlap(en, te) - 0.005) < 1e-8);
  assert.is(routingOverlap(en, en), 1);
  assert.equal(
    starvedExperts(blocks).map(({ block, expert, reached }) => [block, expert, reached]),
    [
      ["h.0", 3, 99],
      ["h.1", 3, 99],
    ],
  );
  assert.equal(
    languageUsage(blocks).map(({ language, tokens, unreached, few }) => [language, tokens, unreached, few]),
    [
      ["en", 100, 4, 4],
      ["te", 100, 2, 6],
    ],
  );
});

test("a model without experts has no such section, and experts twice are refused", async () => {
  const dense = statistics.filter(({ site }) => site !== expertsSite).map((one) => ({ ...one, site: "mlp-up" }));
  assert.equal(usageOf(dense).blocks(), []);
  assert.throws(
    () => usageOf([...statistics, at(statistics, 0)]),
    (error: unknown) => error instanceof BadDataError,
  );
});

test("a report on statistics shows experts by language", async () => {
  const stream = encodeStatistics(statistics, { model: "m", tokenizer: "", propagation: "dense", unit: "", mix: undefined });
  const page = await buildReport([{ name: "statistics.arrow", stream }]);
  const section = page.sections.find(({ id }) => id === "experts");
  assert.ok(section);
  assert.is(section.plots?.length, 2);
  assert.match(section.texts?.join(" ") ?? "", /2 of the 4 experts .* 2 of 8 experts were reached by fewer tokens/);
  const [usage, overlap, starved] = section.tables ?? [];
  assert.equal(usage?.table.rows[0], ["en", "100", "2.0 of 4", "4 of 8", "4 of 8"]);
  assert.equal(overlap?.table.rows[0], ["en", "·", "0.5%"]);
  assert.equal(starved?.table.rows, [
    ["h.0", "3", "99", "100"],
    ["h.1", "3", "99", "100"],
  ]);
  assert.match(formatPage(page), /heat map: experts of h\.0 by language; an even share is 50%, the largest 100%/);
});

test.run();
