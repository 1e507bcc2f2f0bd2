import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Diagnosis } from "@mbs/reporting";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../reporting/test/fixtures/controlled-${name}.arrow`, import.meta.url));
const controlled = fileURLToPath(new URL("../../../../datasets/controlled-bloom", import.meta.url));
const heldout = fileURLToPath(new URL("../../../../datasets/controlled-texts/heldout.yaml", import.meta.url));
const [scores, similarity] = [fixture("scores"), fixture("similarity")];
let folder = "";

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-report-"));
});
test.after(() => rm(folder, { recursive: true, force: true }));

test("diagnose: text and JSON have the same findings, exit code 0 though there are some", async () => {
  const text = await runMbs(["diagnose", scores, similarity]);
  const json = await runMbs(["diagnose", scores, similarity, "--json"]);
  assert.equal([text.code, json.code, text.stderr, json.stderr], [0, 0, "", ""]);
  const { findings, checked } = JSON.parse(json.stdout.toString()) as Diagnosis;
  assert.ok(findings.length > 0 && checked.length === 4);
  const words = text.stdout.toString().replaceAll(/\s+/g, " ");
  for (const { title, remedy } of findings) {
    assert.ok(words.includes(title), title);
    assert.ok(words.includes(remedy.command), remedy.command);
  }
});

test("results of several runs in one report are named by their folders", async () => {
  for (const name of ["first", "second"]) {
    await mkdir(join(folder, name));
    await copyFile(scores, join(folder, name, "scores.arrow"));
  }
  const files = ["first", "second"].map((name) => join(folder, name, "scores.arrow"));
  const { code, stdout, stderr } = await runMbs(["report", ...files]);
  assert.is(code, 0, stderr);
  for (const name of ["first/scores", "second/scores"]) assert.ok(stdout.toString().includes(`(${name})`), name);
});

test("diagnose reads a pipe", async () => {
  const { code, stdout } = await runMbs(["diagnose", "-"], await readFile(scores));
  assert.is(code, 0);
  assert.match(stdout.toString(), /^Looked for: [^]*No similarities were given/);
});

/** What `mbs diagnose --corpus` says of the shares. */
async function shareFindings(...more: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runMbs(["diagnose", scores, "--corpus", heldout, "--json", ...more]);
  assert.equal([code, stderr], [0, ""]);
  const { findings, checked } = JSON.parse(stdout.toString()) as Diagnosis;
  assert.ok(checked.includes("distribution-does-not-fit"));
  return findings.filter(({ signature }) => signature === "distribution-does-not-fit").map(({ title }) => title);
}

test("diagnose compares the training shares with the losses: the known ones fit, in reverse they contradict", async () => {
  const { shares, ...rest } = JSON.parse(await readFile(`${controlled}/distribution.json`, "utf8")) as {
    shares: Record<string, number>;
  };
  const values = Object.values(shares).toReversed();
  const reversed = Object.fromEntries(Object.keys(shares).map((language, index) => [language, values[index]]));
  const path = join(folder, "reversed.json");
  await writeFile(path, JSON.stringify({ ...rest, shares: reversed }));
  assert.equal(await shareFindings(), []);
  assert.match((await shareFindings("--distribution", path)).join(), /^The training shares contradict the losses of dense/);
});

test("diagnose refuses what it cannot tell from: no scores, another kind, a broken file, an unknown reference", async () => {
  const broken = join(folder, "broken.arrow");
  await writeFile(broken, (await readFile(scores)).subarray(0, 5000));
  const cases: [readonly string[], number, RegExp][] = [
    [[similarity], 2, /give scores/],
    [[broken], 65, /broken\.arrow/],
    [[scores, "--reference", "elsewhere"], 2, /no scores of the reference elsewhere; there are dense/],
    [["-", "-"], 2, /once only/],
  ];
  for (const [args, code, message] of cases) {
    const ended = await runMbs(["diagnose", ...args]);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.is(ended.stderr.trim().split("\n").length, 1, "one line");
    assert.is(ended.stdout.length, 0);
  }
});

test("report: page, pictures and numbers in one call; the findings are those of diagnose; nothing is replaced unasked", async () => {
  const [page, svg, csv] = [join(folder, "report.html"), join(folder, "svg"), join(folder, "csv")];
  const args = ["report", scores, similarity, "--output", page, "--svg", svg, "--csv", csv];
  const first = await runMbs(args);
  assert.equal([first.code, first.stderr], [0, ""]);
  const html = await readFile(page, "utf8");
  const { findings } = JSON.parse((await runMbs(["diagnose", scores, similarity, "--json"])).stdout.toString()) as Diagnosis;
  for (const { title } of findings) assert.ok(html.includes(title), title);
  assert.ok((await readdir(svg)).includes("size.svg"));
  assert.match(await readFile(join(csv, "size.csv"), "utf8"), /^model,figure,rise,low,high,language,bytes\n/);
  await rm(page);
  const again = await runMbs(args);
  assert.is(again.code, 77);
  assert.match(again.stderr, /rises\.svg exists; .*--force/);
  assert.not.ok((await readdir(folder)).includes("report.html"), "nothing is written where something is in the way");
  assert.is((await runMbs([...args, "--force"])).code, 0);
});

test("report: --svg alone writes no page, a pipe gets the page, a recipe is shown", async () => {
  const recipe = join(folder, "recipe.yaml");
  await writeFile(recipe, "model: m\n");
  const alone = await runMbs(["report", similarity, "--svg", join(folder, "alone")]);
  assert.equal([alone.code, alone.stdout.length], [0, 0]);
  assert.equal(await readdir(join(folder, "alone")), ["similarity.svg"]);
  const piped = await runMbs(["report", similarity, "--recipe", recipe, "--title", "Mine"]);
  assert.match(piped.stdout.toString(), /<h1>Mine<\/h1>[^]*<pre>model: m\n<\/pre>/);
  const missing = await runMbs(["report", similarity, "--recipe", join(folder, "none.yaml")]);
  assert.is(missing.code, 74);
});

test("report: what cannot be written, or would replace what is read or another output, is refused before anything is written", async () => {
  const work = await mkdtemp(join(folder, "targets-"));
  const at = (...names: string[]): string => join(work, ...names);
  await writeFile(at("in.arrow"), await readFile(scores));
  await writeFile(at("recipe.yaml"), "model: m\n");
  await writeFile(at("averages.svg"), await readFile(scores));
  await mkdir(at("folder"));
  const before = await readdir(work, { recursive: true });
  const read = /would replace .*, which is read; choose another output/;
  const cases: [readonly string[], number, RegExp][] = [
    [[at("in.arrow"), "--output", at("in.arrow"), "--force"], 2, read],
    [[at("in.arrow"), "--recipe", at("recipe.yaml"), "--output", at("recipe.yaml"), "--force"], 2, read],
    [[at("averages.svg"), "--svg", work, "--force"], 2, read],
    [[scores, "--svg", at("in.arrow"), "--force"], 77, /in\.arrow is a file, so .* cannot be written; choose another path/],
    [[scores, "--csv", at("in.arrow", "x"), "--output", at("page.html")], 77, /in\.arrow is a file/],
    [[scores, "--csv", at("numbers"), "--output", at("folder"), "--force"], 77, /folder is a folder; choose another name/],
    [[scores, "--csv", at("numbers"), "--output", at("numbers", "averages.csv")], 2, /two outputs go to .*averages\.csv/],
    [[scores, "--csv", at("numbers"), "--output", at("numbers")], 2, /numbers is an output, so .* cannot be in it/],
  ];
  for (const [args, code, message] of cases) {
    const ended = await runMbs(["report", ...args]);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.is(ended.stderr.trim().split("\n").length, 1, "one line");
    assert.equal(await readdir(work, { recursive: true }), before, ended.stderr);
  }
  assert.equal(await readFile(at("in.arrow")), await readFile(scores));
});

test.run();
