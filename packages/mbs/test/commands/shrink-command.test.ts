import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withLock } from "@mbs/artifacts";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";
import { writeTexts } from "../fixtures/texts.ts";

const test = suite<{ root: string }>("shrink command");

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-shrink-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"), 40);
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

const shrink = (root: string, ...flags: readonly string[]) =>
  runMbs([
    "shrink",
    join(root, "model"),
    "--texts",
    join(root, "texts"),
    "--threads",
    "1",
    "--output",
    join(root, "out"),
    ...flags,
  ]);

test("a model is made smaller, with a plan first, how to use it, and the usual way after it", async ({ root }) => {
  const flags = ["--languages", "spa,mr", "--bits", "3", "--to", "gptq", "--max-worst-rise", "1000%"];
  const { code, stdout, stderr } = await shrink(root, ...flags);
  assert.is(code, 0, stderr);
  const text = stdout.toString();
  assert.match(text, /^source {5}model\nlanguages {2}es, mr, as much text of each; the others stay/);
  assert.match(text, /\nmethod {5}gptq to 3 bits in groups of 64\n/);
  assert.match(text, /\nsize .* → about [\d.]+ kB \([\d.]+ bits a\s+weight\)/);
  assert.match(text, /\nlanguage +perplexity +95% interval\nes .*\nmr .*\nmean .*\nbars: /);
  // its weights are random
  assert.match(text, /\nes, mr: the source itself predicts these texts worse than guessing among its \d+ tokens would/);
  assert.match(
    text,
    /\nto use it:\n {2}AutoModelForCausalLM.*\n.*\nall 2 figures are within their limits\n\nusual: rounding to nearest, 3 bits, [^\n]*\nlanguage +shrunk +usual\nes .*\nmr .*\nmean .*\nbars: .*\n$/,
  );
  for (const file of ["shrunk/model/model.safetensors", "usual/model/model.safetensors", "report.html", "shrink.yaml"]) {
    assert.ok((await stat(join(root, "out", file))).size > 0, file);
  }
  const page = await readFile(join(root, "out/report.html"), "utf8");
  assert.match(page, /Here source is the model as it was given, shrunk the result, and usual rounding to nearest, 3 bits,/);
  assert.match(page, /es, mr: source itself predicts these texts worse than guessing/);
  assert.not.match(page, /mbs (?!shrink)[a-z]+ /, "no command that reads what is not there");
  // calibration and held-out texts have no document in common
  const [content = ""] = await readdir(join(root, "out/texts"));
  const documentsOf = async (part: string): Promise<string[]> =>
    (await readFile(join(root, "out/texts", content, part, "es.jsonl"), "utf8")).trim().split("\n");
  const heldOut = await documentsOf("held-out");
  assert.is(heldOut.length, 10);
  assert.not((await documentsOf("calibration")).some((line) => heldOut.includes(line)));

  // the same command goes on from what is there, and the recipe makes the same bytes
  const before = await readFile(join(root, "out/shrunk/model/model.safetensors"));
  const again = await shrink(root, ...flags, "--quiet");
  assert.is(again.code, 0, again.stderr);
  assert.is(again.stdout.toString().split("\n")[0], join(root, "out/shrunk/model"));
  const plan = (await shrink(root, ...flags)).stdout.toString();
  assert.match(plan, /\ntime {7}it was begun before, and what is done is not done again/);
  const other = await shrink(root, ...flags, "--favour", "mr");
  assert.is(other.code, 77);
  assert.match(other.stderr, /holds a run of another recipe or of changed inputs/);
  // nor does a dry run leave a trace beside a finished result
  const files = await readdir(join(root, "out"), { recursive: true });
  assert.is((await shrink(root, "--languages", "en", "--bits", "2", "--to", "gptq", "--dry-run")).code, 0);
  assert.equal(await readdir(join(root, "out"), { recursive: true }), files);
  // limits change nothing that is made
  const limited = await shrink(root, ...flags.slice(0, -2), "--max-worst-rise", "2000%", "--within", "1s");
  assert.is(limited.code, 0, limited.stderr);
  assert.match(limited.stderr, /--within is not looked at: the run was begun with \d+ segments of text/);
  const status = await runMbs(["status", join(root, "out")]);
  assert.is(status.code, 0, status.stderr);
  assert.match(status.stdout.toString(), /what was begun is done/);
  await rm(join(root, "out/shrunk"), { recursive: true });
  const ran = await runMbs(["run", join(root, "out/shrink.yaml"), "--threads", "1", "--quiet"]);
  assert.is(ran.code, 0, ran.stderr);
  assert.equal(await readFile(join(root, "out/shrunk/model/model.safetensors")), before);
});

test("a second command on a folder, and one on files of others, are refused before they plan", async ({ root }) => {
  const flags = ["--languages", "en", "--bits", "4", "--to", "gptq"];
  await withLock(join(root, "out"), async () => {
    const { code, stderr } = await shrink(root, ...flags);
    assert.is(code, 75);
    assert.match(stderr, /out is in use by process \d+; try again when it is done/);
    assert.not(existsSync(join(root, "out")));
    assert.is((await shrink(root, ...flags, "--dry-run")).code, 0);
  });
  await mkdir(join(root, "out"));
  await writeFile(join(root, "out/notes.txt"), "mine");
  const { code, stderr } = await shrink(root, ...flags);
  assert.is(code, 77);
  assert.match(stderr, /out holds files of others, such as notes\.txt; name another folder with --output/);
  assert.equal(await readdir(join(root, "out")), ["notes.txt"]);
});

test("a limit that is exceeded keeps the result and ends with 1", async ({ root }) => {
  const { code, stdout } = await shrink(root, "--languages", "en", "--bits", "2", "--to", "gptq", "--max-kl", "0.0000001");
  assert.is(code, 1);
  assert.match(stdout.toString(), /exceed|limit/);
  assert.ok((await stat(join(root, "out/shrunk/model/model.safetensors"))).size > 0);
});

test("--dry-run prints the recipe that would be run, and writes nothing", async ({ root }) => {
  const { code, stdout } = await shrink(
    root,
    "--languages",
    "en,es",
    "--favour",
    "es",
    "--dry-run",
    "--bits",
    "4",
    "--to",
    "gptq",
  );
  assert.is(code, 0);
  const text = stdout.toString();
  assert.match(text, /^# Written by mbs shrink; mbs run repeats it\.\nmodel: /);
  assert.match(text, /\nsample:\n {2}mix: en=0\.5,es=0\.5\n/);
  assert.match(text, /\ncapture:\n {2}mix: en=1,es=2\n/);
  assert.equal((await readdir(root)).sort(), ["model", "texts"]);
});

test("without texts those that come with the program are taken", async ({ root }) => {
  const out = join(root, "own");
  const flags = ["--languages", "hin_Deva,khm", "--bits", "4", "--to", "gptq", "--dry-run", "--output", out];
  const { code, stdout, stderr } = await runMbs(["shrink", join(root, "model"), "--threads", "1", ...flags]);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), /mix: hi=0\.5,km=0\.5\n/);
  assert.match(stderr, /held\s+out\s+to\s+score\s+on\n/);
});

test("without languages those of the model's published mixture are taken, the same text of each", async ({ root }) => {
  const { code, stdout, stderr } = await shrink(root, "--bits", "4", "--to", "gptq", "--dry-run");
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), /mix: en=0\.3333,es=0\.3333,mr=0\.3333\n/);
  assert.match(stdout.toString(), /shares: bloom\n/);
});

test("only the tokens of some languages are kept, and the plan says what that saves", async ({ root }) => {
  const flags = ["--languages", "en", "--only-languages", "--bits", "4", "--to", "gptq", "--json"];
  const { code, stdout, stderr } = await shrink(root, ...flags);
  assert.is(code, 0, stderr);
  const { before, after, scores } = JSON.parse(stdout.toString()) as Record<string, unknown> & { before: number; after: number };
  assert.ok(after < before);
  assert.ok(scores);
});

test("what cannot be shrunk is refused before anything runs, with the remedy", async ({ root }) => {
  for (const [flags, message] of [
    [["--languages", "fr"], /no texts of fr, but of .*; give texts of your own with --texts/],
    [["--languages", "en", "--bits", "3", "--size", "1MB"], /--bits and --size exclude each other|--size and --bits exclude/],
    [["--languages", "en", "--to", "gptq", "--type", "Q4_K_M"], /--type is a type of GGUF, and gptq has none/],
    [["--languages", "en", "--to", "gptq", "--size", "1GB"], /--size 1GB is no less than the model has/],
    [
      ["--languages", "en", "--to", "gptq", "--size", "1kB"],
      /--size is smaller than gptq makes this model with 2 bits; give --size [\d.]+kB or more/,
    ],
    [["--languages", "en", "--within", "soon"], /--within takes a time such as 90s, 20m or 2h, not "soon"/],
    [["--languages", "en", "--size", "180"], /--size takes a size such as 4GiB or 180MB .*, not "180"/],
  ] as const) {
    const { code, stderr } = await shrink(root, ...flags);
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
  }
  await rm(join(root, "out"), { recursive: true, force: true });
  await writeFile(join(root, "out"), "");
  const { code, stderr } = await shrink(root, "--languages", "en", "--to", "gptq");
  assert.is.not(code, 0);
  assert.match(stderr, /out is a file; name another folder with --output/);
});

test("a quantised source is rounded again to what is smaller, and the plan comes before what is slow", async ({ root }) => {
  const model = join(import.meta.dirname, "../../../models/test/fixtures/gguf/models/llama-q8.gguf");
  const shrinkIt = async (...flags: readonly string[]) => {
    const texts = ["--texts", join(root, "texts"), "--languages", "en", "--output", join(root, "out")];
    const { code, stdout, stderr } = await runMbs(["shrink", model, ...texts, "--threads", "1", ...flags]);
    return { code, text: `${stdout.toString()}${stderr}`.replaceAll(/\s+/g, " ") };
  };
  const tooShort = await shrinkIt();
  assert.is(tooShort.code, 65);
  assert.match(tooShort.text, /the held-out texts have no window of 256 tokens to score on; give more text with --texts/);

  await writeTexts(join(root, "texts"), 400);
  const larger = await shrinkIt("--type", "Q8_0");
  assert.is(larger.code, 65);
  const remedy =
    /is quantised already \(12\.4 kB, 10\.7 bits a weight\), and Q8_0 would not make it smaller \(about 12\.9 kB\); take its 16-bit original, or what is smaller: --size \((\S+) or more\)/;
  const [, smallest = ""] = remedy.exec(larger.text) ?? [];
  const tooSmall = await shrinkIt("--size", "1kB");
  assert.is(tooSmall.code, 2);
  assert.match(tooSmall.text, `give --size ${smallest} or more`);
  const taken = await shrinkIt("--size", smallest, "--dry-run");
  assert.is(taken.code, 0, taken.text);

  const { code, text } = await shrinkIt("--type", "Q4_K_M", "--within", "0.001s");
  assert.is(code, 2);
  assert.match(text, /--within is too short/);
  assert.match(
    text,
    /^source llama-q8; the source is quantised to 10\.7 bits a weight already; losses are against it; its 16-bit orig/,
  );
  assert.match(
    text,
    / about 10\.6 kB \(9\.1 bits a weight\), only 1\.18 times smaller types 9 of 9 matrices have rows of 32 columns, no/,
  );
  assert.match(
    text,
    `smaller --size (${smallest} or more), which chooses a type for each tensor, embedding and head too; --type IQ4_NL (`,
  );
  assert.match(text, / too little text to score on: windows of 256 tokens, \d of en; of fewer than 5 a language has no interval/);
});

test("models that texts alone say nothing of are refused, with the commands that there are for them", async ({ root }) => {
  for (const [fixture, message] of [
    [
      "encoders/xlm-roberta-f32",
      /is an encoder, which predicts no tokens, .*; compress it by the commands in docs\/architectures\.md, Encoders/,
    ],
    [
      "forward/m2m-100-f32",
      /translates, so it is calibrated on pairs of texts, .*; compress it by the commands in docs\/architectures\.md, Pairs/,
    ],
  ] as const) {
    const model = join(import.meta.dirname, "../../../models/test/fixtures", fixture);
    const { code, stderr } = await runMbs(["shrink", model, "--languages", "en", "--output", join(root, "out")]);
    assert.is(code, 65, stderr);
    assert.match(stderr, message);
  }
});

test("what a format does not hold of a model is refused before texts are written", async ({ root }) => {
  const model = join(import.meta.dirname, "../../../models/test/fixtures/forward/qwen3-5-moe-images-f32");
  const output = join(root, "experts");
  const flags = ["--languages", "en", "--output", output];
  for (const [format, message] of [
    ["gptq", /do not find the experts of Qwen 3\.5 in GPTQ's files/],
    ["onnx", /which --format onnx does not export/],
  ] as const) {
    const { code, stderr } = await runMbs(["shrink", model, "--to", format, ...flags]);
    assert.is(code, 65, stderr);
    assert.match(stderr, message);
    assert.is(existsSync(output), false);
  }
});

test.run();
