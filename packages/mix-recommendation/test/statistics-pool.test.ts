import { collect, encodeStatistics, headSite, readStatistics, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { poolStatistics, warnOfPool } from "../src/statistics-pool.ts";
import type { Selection } from "../src/statistics-pool.ts";

const context = { signal: new AbortController().signal, progress: () => undefined };

function statistics(tokens: Readonly<Record<string, number>>) {
  const sites = [
    ["h.0", "input"],
    ["h.0", "mlp-up"],
    ["h.0", "mlp-down"],
    ["h.1", "mlp-up"],
    [embeddingsBlock, tokenSites.reads],
    [embeddingsBlock, headSite],
  ] as const;
  const items = sites.flatMap(([block, site]) =>
    Object.entries(tokens).map(([language, count]): Statistic => ({
      block,
      site,
      language,
      kind: "diagonal",
      tokens: count,
      width: site === "mlp-down" ? 8 : 4,
      values: new Float32Array(site === "mlp-down" ? 8 : 4).fill(1),
    })),
  );
  return encodeStatistics(items, { model: "m", tokenizer: "t", propagation: "dense", unit: "", mix: undefined });
}

async function sitesOf(selection: Selection): Promise<string[]> {
  const pool = await poolStatistics(statistics({ mr: 10, en: 10 }), selection, context);
  const found = await collect(readStatistics(await pool.artifact.open()));
  pool.artifact.close();
  return [...new Set(found.map(({ block, site }) => `${block}/${site}`))];
}

test("keeps what linear layers read, or the blocks and sites asked for", async () => {
  assert.equal(await sitesOf({}), ["h.0/mlp-up", "h.0/mlp-down", "h.1/mlp-up"]);
  assert.equal(await sitesOf({ block: ["h.0"] }), ["h.0/mlp-up", "h.0/mlp-down"]);
  assert.equal(await sitesOf({ site: ["mlp-up"] }), ["h.0/mlp-up", "h.1/mlp-up"]);
  assert.equal(await sitesOf({ block: ["h.1"], site: ["mlp-up"] }), ["h.1/mlp-up"]);
  assert.equal(await sitesOf({ block: ["h.1"], embeddings: true }), ["h.1/mlp-up", "embeddings/token-reads", "embeddings/head"]);
});

test("a block or site that is not there is refused, and a pool of nothing", async () => {
  for (const selection of [{ block: ["h.2"] }, { site: ["mlp"] }]) {
    assert.instance(await sitesOf(selection).catch((error: unknown) => error), UsageError);
  }
  assert.instance(await sitesOf({ block: ["h.1"], site: ["mlp-down"] }).catch((error: unknown) => error), BadDataError);
});

async function warnings(tokens: Readonly<Record<string, number>>): Promise<string[]> {
  const told: string[] = [];
  const pool = await poolStatistics(statistics(tokens), {}, context);
  pool.artifact.close();
  warnOfPool(pool, (message) => told.push(message));
  return told;
}

test("an unequal pool and a language of few tokens are reported", async () => {
  assert.equal(await warnings({ en: 12, mr: 8 }), []);
  const [unequal, ...others] = await warnings({ en: 16, mr: 8 });
  assert.match(unequal ?? "", /16 tokens of en, 8 of mr/);
  assert.equal(others, []);
  const [few] = await warnings({ en: 7, mr: 7 });
  assert.match(few ?? "", /fewer than 8 tokens.*of en, mr.*noise/);
});

test.run();
