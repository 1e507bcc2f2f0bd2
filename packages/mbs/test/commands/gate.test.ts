import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";

// written before scores had distances
const scores = fileURLToPath(new URL("../../../reporting/test/fixtures/controlled-scores.arrow", import.meta.url));

test("a limit that is exceeded ends with 1, a line for each language and for each model, JUnit and annotations", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-gate-"));
  try {
    const junit = join(folder, "gate.xml");
    const failed = await runMbs(["gate", scores, "--max-worst-rise", "5%", "--junit", junit, "--github"]);
    assert.is(failed.code, 1);
    const printed = failed.stdout.toString().trim().split("\n");
    const lines = printed.filter((line) => line.startsWith("::"));
    const models = printed.slice(lines.length);
    assert.is(models.length, 7);
    for (const line of models) {
      const [model = "", words] = line.split(": ");
      const own = lines.filter((each) => each.includes(`::${model}, `)).length;
      assert.is(words, own === 0 ? "passed" : `failed in ${own} of 16 languages`);
    }
    for (const line of lines)
      assert.match(line, /^::error title=mbs gate::\S+, \S+: perplexity \+\d+(\.\d)?%25 \(.*\), limit \+5\.0%25$/);
    assert.match(failed.stderr, new RegExp(`^mbs gate: ${lines.length} of \\d+ figures exceed their limits\n$`));
    const xml = await readFile(junit, "utf8");
    assert.match(xml, `failures="${lines.length}"`);
    assert.is(xml.match(/<failure message="/g)?.length, lines.length);
    const json = await runMbs(["gate", scores, "--max-worst-rise", "0.05", "--json"]);
    const { checks } = JSON.parse(json.stdout.toString()) as { checks: { exceeds: boolean; limit: number; unit: string }[] };
    assert.equal([checks[0]?.limit, checks[0]?.unit], [0.05, "share"]);
    assert.equal([json.code, checks.filter(({ exceeds }) => exceeds).length], [1, lines.length]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("within the limits it ends with 0; what it cannot check or read is refused", async () => {
  const within = await runMbs(["gate", "-", "--max-worst-rise", "1000000%"], await readFile(scores));
  assert.is(within.code, 0, within.stderr);
  assert.match(within.stdout.toString(), /^all \d+ figures are within their limits\n(?:\S+: passed\n){7}$/);
  for (const [options, code, message] of [
    [[], 2, "nothing to check"],
    [["--max-worst-rise", "five"], 2, "takes a share such as 5% or 0.05"],
    [["--max-worst-rise", "5"], 2, "write 5% or 0.05; 500% for 5 times"],
    [["--max-kl", "0.1"], 65, "has no KL divergence"],
  ] as const) {
    const ended = await runMbs(["gate", scores, ...options]);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
  }
});

test.run();
