import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ScratchArtifact,
  collect,
  contentAddress,
  encodeStatistics,
  encodeStream,
  parseMetadata,
  readDamage,
  readMixes,
  readStatistics,
} from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { BadDataError, UsageError, at } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import type { MixCost } from "@mbs/mix-recommendation";
import { damageReport, mixesReport } from "@mbs/reporting";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadMix, loadStages } from "../../src/stages.ts";
import { present } from "../fixtures/present.ts";
import { writeTexts } from "../fixtures/texts.ts";
import { runMbs } from "../fixtures/run-mbs.ts";
import { runStage } from "../fixtures/stage-runs.ts";

interface Fixture {
  root: string;
  model: string;
  statistics: ScratchArtifact;
}

const test = suite<Fixture>("mix");
const signal = new AbortController().signal;
const context = testContext({ signal });

test.before(async (fixture) => {
  fixture.root = await mkdtemp(join(tmpdir(), "mbs-mix-"));
  fixture.model = join(fixture.root, "model");
  await writeTinyModel(fixture.model, { contextLength: 32 });
  await writeTexts(join(fixture.root, "texts"));
  const sampling = { model: fixture.model, corpus: join(fixture.root, "texts"), mix: "equal", segments: 24, length: 32 };
  const segments = await runStage("sample", {}, sampling, context);
  const statistics = await runStage("capture", { source: [segments] }, { model: fixture.model }, context);
  fixture.statistics = await ScratchArtifact.from(statistics);
});
test.after(({ root, statistics }) => {
  statistics.close();
  return rm(root, { recursive: true });
});

const quantised = { solver: "gptq", bits: 2, groupSize: 16 };
const shares = { en: 0.7, es: 0.25, mr: 0.05 };

async function recommend(
  { model, statistics }: Fixture,
  options: object,
  streams: { statistics?: ArtifactStream; validation?: ArtifactStream } = {},
  onCost?: (cost: MixCost) => void,
) {
  const inputs = {
    statistics: [streams.statistics ?? (await statistics.open())],
    ...(streams.validation && { validation: [streams.validation] }),
  };
  const { mixes } = await (await loadMix(onCost)).run(inputs, { model, ...quantised, ...options }, context);
  return present(mixes, "mixes");
}

async function reported(fixture: Fixture, options: object, streams = {}, onCost?: (cost: MixCost) => void) {
  const stream = await recommend(fixture, options, streams, onCost);
  return mixesReport(await collect(readMixes(stream)), parseMetadata("mixes", stream.schema));
}

test("the recommended mix is never worse than one compared with it, and weights lie on the simplex", async (fixture) => {
  for (const options of [quantised, { solver: "sparsegpt", sparsity: 0.5, bits: undefined, groupSize: undefined }]) {
    const { mixes, recommended } = await reported(fixture, { ...options, rounds: 6 });
    assert.ok(mixes.length <= 1 + 6 && mixes.length >= 2, `${mixes.length} mixes`);
    for (const { name, worst, languages } of mixes) {
      assert.ok(recommended.worst.damage <= worst.damage, `${name}: ${worst.damage} against ${recommended.worst.damage}`);
      assert.ok(Math.abs(languages.reduce((sum, { weight }) => sum + weight, 0) - 1) < 2e-3, name);
      assert.ok(languages.every(({ weight }) => weight > 0));
    }
    const equal = mixes.find(({ name }) => name === "equal");
    assert.ok(equal && recommended.worst.damage < equal.worst.damage, "languages differ, so equal weights can be improved");
  }
});

test("a solver that reads the diagonal of each language gets it in every trial", async ({ model, statistics }) => {
  const options = { model, solver: "m-wanda", sparsity: 0.5, rounds: 1 };
  const mixes = await runStage("mix", { statistics: [await statistics.open()] }, options, context);
  const damages = (await collect(readMixes(mixes))).map(({ damage }) => damage);
  assert.ok(damages.length >= 3 && damages.every((damage) => damage > 0 && damage < 1), damages.join());
});

test("damage is what mbs predict says of the same mix", async (fixture) => {
  const { recommended } = await reported(fixture, { rounds: 3 });
  const { model, statistics } = fixture;
  const factoring = { mix: recommended.mix, order: "group-aware:16" };
  const factors = await runStage("factor", { statistics: [await statistics.open()] }, factoring, context);
  const layers = await runStage("compress", { factors: [factors] }, { model, ...quantised }, context);
  const inputs = { statistics: [await statistics.open()], layers: [layers] };
  const damage = await runStage("predict", inputs, { model }, context);
  const predicted = damageReport(await collect(readDamage(damage)), parseMetadata("damage", damage.schema));
  assert.is(predicted.languages.length, 3);
  for (const { language, damage: mean } of predicted.languages) {
    const own = recommended.languages.find((entry) => entry.language === language);
    assert.ok(Math.abs(present(own, language).damage - mean) < 1e-12 * mean, language);
  }
});

test("run again it gives the same bytes, though not the same times", async (fixture) => {
  const costs: MixCost[] = [];
  const again = async () =>
    (await contentAddress(await recommend(fixture, { rounds: 4 }, {}, (cost) => costs.push(cost)))).address;
  assert.is(await again(), await again());
  const cost = at(costs, 0);
  assert.ok(cost.trials >= 2 && cost.seconds > 0);
  assert.ok(cost.compression > 0 && cost.compression * cost.trials <= cost.seconds);
});

/** The same statistics of every language: what was seen of English. */
async function* asEnglish(stream: ArtifactStream, names: readonly string[]): AsyncGenerator<Statistic> {
  for await (const statistic of readStatistics(stream)) {
    if (statistic.language === "en") for (const language of names) yield { ...statistic, language };
  }
}

test("two languages that are alike get equal weights", async (fixture) => {
  const source = await fixture.statistics.open();
  const statistics = encodeStatistics(asEnglish(source, ["en", "xx"]), parseMetadata("statistics", source.schema));
  const { recommended, mixes } = await reported(fixture, {}, { statistics });
  assert.is(recommended.mix, "en=0.5,xx=0.5");
  assert.is(mixes.length, 1, "nothing is left to search");
});

test("target: the important language is damaged less than under equal weights", async (fixture) => {
  const { recommended, mixes } = await reported(fixture, { strategy: "target", importance: "mr=20", rounds: 3 });
  const damageOf = (name: string) =>
    mixes.find((mix) => mix.name === name)?.languages.find(({ language }) => language === "mr")?.damage ?? NaN;
  assert.ok(damageOf(recommended.name) < damageOf("equal"));
  for (const { name, important } of mixes) assert.ok((recommended.important ?? NaN) <= (important ?? NaN), name);
});

test("a block alone is cheaper; damage can be predicted from other texts", async (fixture) => {
  const whole = await reported(fixture, { strategy: "equal" });
  const part = await reported(fixture, { strategy: "equal", block: "h.0", site: "mlp-up" });
  assert.is(whole.tensors, 8);
  assert.is(part.tensors, 1);
  const source = await fixture.statistics.open();
  const validation = encodeStatistics(asEnglish(source, ["en", "es", "mr"]), parseMetadata("statistics", source.schema));
  const judged = await reported(fixture, { strategy: "equal" }, { validation });
  const [first, ...others] = judged.recommended.languages;
  assert.ok(first);
  assert.is(first.damage, at(whole.recommended.languages, 0).damage, "English is judged as before");
  for (const { damage } of others) assert.is(damage, first.damage);
});

test("what does not fit together is refused", async (fixture) => {
  const source = async () => fixture.statistics.open();
  const only = async (names: readonly string[]) => {
    const stream = await source();
    return encodeStatistics(asEnglish(stream, names), parseMetadata("statistics", stream.schema));
  };
  const failure = (options: object, streams = {}) => reported(fixture, options, streams).catch((error: unknown) => error);
  assert.instance(await failure({ strategy: "target" }), UsageError);
  assert.instance(await failure({ importance: "en=2" }), UsageError);
  assert.instance(await failure({ strategy: "proportional" }), UsageError, "the model has no distribution");
  assert.instance(await failure({ block: "h.9" }), UsageError);
  assert.instance(await failure({ mix: "en=1" }), UsageError);
  assert.instance(await failure({}, { validation: await only(["en"]) }), BadDataError);
});

test("a recipe takes the recommended weights, for its statistics and for its sample", async (fixture) => {
  const { root, model } = fixture;
  const { recommended } = await reported(fixture, { rounds: 1 });
  for (const [name, parts] of Object.entries({
    weighed: { sample: { mix: "equal", segments: 6, length: 32 }, factor: { mix: recommended.mix } },
    sampled: { sample: { mix: `weights:${recommended.mix}`, segments: 6, length: 32 } },
  })) {
    const { nodes } = await run(
      recipeFrom({
        model,
        corpus: join(root, "texts"),
        ...parts,
        propagation: "dense",
        compress: { solver: "gptq", bits: 2, "group-size": 16 },
        output: join(root, name),
      }),
      { stages: await loadStages(), threads: 1, signal },
    );
    assert.is(nodes.at(-1)?.stage, "assemble");
    const option = name === "weighed" ? `--mix ${recommended.mix}` : `--mix weights:${recommended.mix}`;
    assert.ok(
      nodes.some(({ command }) => command.includes(option)),
      option,
    );
  }
});

test("the three averages: unweighted mean, training mixture, worst", async (fixture) => {
  const distribution = join(fixture.root, "distribution.json");
  await writeFile(distribution, JSON.stringify({ unit: "tokens", source: "test", shares }));
  const { mixes, recommended } = await reported(fixture, { strategy: "proportional", distribution });
  assert.equal(
    mixes.map(({ name }) => name),
    ["proportional", "equal", "temperature:0.3"],
  );
  assert.is(recommended.mix, "en=0.7,es=0.25,mr=0.05");
  const [en = NaN, es = NaN, mr = NaN] = recommended.languages.map(({ damage }) => damage);
  assert.ok(Math.abs(recommended.unweighted - (en + es + mr) / 3) < 1e-15);
  assert.ok(Math.abs((recommended.weighted ?? NaN) - (0.7 * en + 0.25 * es + 0.05 * mr)) < 1e-15);
  assert.is(recommended.worst.damage, Math.max(en, es, mr));
});

test("a mix under two names is tried once", async (fixture) => {
  const distribution = join(fixture.root, "alike.json");
  await writeFile(distribution, JSON.stringify({ unit: "tokens", source: "test", shares }));
  const costs: MixCost[] = [];
  const report = (options: object) => reported(fixture, { distribution, ...options }, {}, (cost) => costs.push(cost));
  const { mixes, recommended, notes } = await report({ strategy: "temperature:1" });
  const [proportional, , temperature] = mixes;
  assert.ok(proportional && temperature);
  assert.is(recommended.name, "temperature:1");
  assert.equal({ ...temperature, name: proportional.name }, proportional);
  assert.match(notes.join("\n"), "2 mixes were tried");
  const even = await report({ strategy: "target", importance: "en=2,es=2,mr=2" });
  assert.equal(
    even.mixes.map(({ name }) => name),
    ["proportional", "equal", "temperature:0.3", "importance"],
  );
  assert.equal(
    costs.map(({ trials }) => trials),
    [2, 3],
  );
});

test("the command prints what the search took against one compression", async ({ model, statistics }) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeStream(await statistics.open()).bytes) chunks.push(chunk);
  const options = ["--model", model, "--bits", "2", "--group-size", "16", "--rounds", "1", "--threads", "1"];
  const { code, stdout, stderr } = await runMbs(["mix", ...options, "--json"], Buffer.concat(chunks));
  assert.is(code, 0, stderr);
  const { cost, recommended, mixes } = JSON.parse(stdout.toString());
  assert.is(mixes.length, 2);
  assert.is(cost.trials, 2);
  assert.ok(cost.compressions >= 2, "two mixes take longer than one compression each");
  assert.ok(Math.abs(cost.compressions - cost.seconds / cost.compression) < 1e-9);
  assert.match(recommended.mix, /^en=0\.\d+,es=0\.\d+,mr=0\.\d+$/);
  assert.match(stderr, /only equal weights are compared/);
});

test.run();
