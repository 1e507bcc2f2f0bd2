import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeArtifact, encodeScores } from "@mbs/artifacts";
import { readDistribution } from "@mbs/corpora";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DistributionFindings } from "../../src/results/distribution-table.ts";
import { runMbs } from "../fixtures/run-mbs.ts";

const datasets = fileURLToPath(new URL("../../../../datasets/", import.meta.url));
const model = join(datasets, "controlled-bloom");
const small = ["--merges", "150", "--bytes", "12000"];
const texts = ["--corpus", join(datasets, "controlled-texts/validation.yaml")];

const distribution = suite<{ folder: string }>("mbs distribution");
distribution.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "mbs-distribution-"));
});
distribution.after(({ folder }) => rm(folder, { recursive: true }));

distribution("the file, the JSON and the table agree, and others read the file", async ({ folder }) => {
  const output = join(folder, "distribution.json");
  const args = ["distribution", "--model", model, ...texts, ...small, "--resamples", "10", "--against", model];
  const { code, stdout, stderr } = await runMbs([...args, "--json", "--output", output]);
  assert.is(code, 0, stderr);
  const { estimate, against } = JSON.parse(stdout.toString()) as DistributionFindings;
  assert.equal([estimate.merges, estimate.resamples, against?.errors.languages], [150, 10, 16]);
  const { shares, unit, name } = await readDistribution(output);
  assert.equal([unit, name], ["bytes", "controlled-bloom"]);
  const en = estimate.languages.find(({ language }) => language === "en");
  assert.ok(Math.abs((shares.get("en") ?? NaN) - (en?.share ?? NaN)) < 1e-5);
  // From 12 kB a language, English is still the largest by far.
  assert.ok((shares.get("en") ?? 0) > 0.25, String(shares.get("en")));
  const again = await runMbs([...args, "--output", output]);
  assert.is(again.code, 77);
  const few = await runMbs(["distribution", "--model", model, ...texts, "--resamples", "2"]);
  assert.equal([few.code, few.stderr.includes("--resamples takes 0, or 10 and more")], [2, true]);
  assert.match(again.stderr, "--force");
  const table = await runMbs([...args, "--quiet"]);
  assert.is(table.stderr, "");
  assert.match(table.stdout.toString(), /^language +share of bytes +spread of 10 resamples +controlled-bloom \(tokens\)/);
  assert.match(table.stdout.toString(), /Against controlled-bloom: off by/);
});

distribution("scores are compared with the shares", async ({ folder }) => {
  const path = join(folder, "scores.arrow");
  const known = (await readDistribution(model)).shares;
  const scores = [...known].map(([language, share]) => ({
    model: "m",
    address: "0".repeat(64),
    language,
    source: "",
    window: 0,
    nll: 1000 * share ** -0.2,
    tokens: 255,
    bytes: 1000,
  }));
  await writeArtifact(encodeScores(scores, { corpus: "", length: 256, bos: "off", shares: undefined, models: undefined }), path);
  const args = ["distribution", "--model", model, ...texts, ...small, "--resamples", "0", "--scores", path, "--against", model];
  const { code, stdout, stderr } = await runMbs(args);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), /by its loss/);
  assert.match(stdout.toString(), /Losses and the shares of controlled-bloom: Spearman -0\.\d\d \(p = .*They go together/);
});

distribution("what is read is never replaced", async ({ folder }) => {
  const own = join(folder, "own");
  const corpus = join(folder, "texts");
  await cp(model, own, { recursive: true });
  await mkdir(corpus);
  await writeFile(join(corpus, "en.txt"), "a text\n");
  const cases = [
    join(own, "tokenizer.json"),
    join(own, "distribution.json"),
    own,
    join(corpus, "en.txt"),
    join(folder, "scores-to-be.arrow"),
  ];
  for (const output of cases) {
    const args = ["--model", own, "--corpus", corpus, "--against", own, "--scores", join(folder, "scores-to-be.arrow")];
    const { code, stderr } = await runMbs(["distribution", ...args, "--output", output, "--force"]);
    assert.is(code, 2, stderr);
    assert.match(stderr, /^mbs distribution: .* would replace .*, which is read; choose another output\n$/);
  }
  assert.is(await readFile(join(corpus, "en.txt"), "utf8"), "a text\n");
});

distribution("a tokenizer without merges to read is refused in one line", async ({ folder }) => {
  const tokenizer = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: "Unigram", vocab: [["a", 0]] },
  };
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  const { code, stderr } = await runMbs(["distribution", "--model", folder, ...texts]);
  assert.is(code, 65);
  assert.match(stderr, /^mbs distribution: .*Unigram.*\n$/);
});

distribution.run();
