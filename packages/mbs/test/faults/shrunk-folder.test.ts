import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Ended } from "../fixtures/in-process.ts";
import { runMbs } from "../fixtures/run-mbs.ts";
import { writeTexts } from "../fixtures/texts.ts";

const root = await mkdtemp(join(tmpdir(), "mbs-shrunk-"));
const [out, whole] = [join(root, "out"), join(root, "whole")];
test.after(() => rm(root, { recursive: true }));

const shrink = (): Promise<Ended> =>
  runMbs(
    `shrink ${root}/model --texts ${root}/texts --threads 1 --output ${out} --languages es,mr --only-languages --bits 3 --to gptq`.split(
      " ",
    ),
  );

test.before(async () => {
  await writeTinyModel(join(root, "model"), { contextLength: 32 });
  await writeTexts(join(root, "texts"), 40);
  const { code, stderr } = await shrink();
  assert.is(code, 0, stderr);
  await cp(out, whole, { recursive: true });
});

test.before.each(async () => {
  await rm(out, { recursive: true });
  await cp(whole, out, { recursive: true });
});

const filesOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

/** Whether the folder is as it was first, to the byte. */
async function requireWhole(): Promise<void> {
  assert.equal(await filesOf(out), await filesOf(whole));
  for (const name of await filesOf(whole)) {
    assert.equal(await readFile(join(out, name)), await readFile(join(whole, name)), name);
  }
}

/** Changes a byte in the middle of a file of the folder. */
async function flip(name: string): Promise<void> {
  const bytes = await readFile(join(out, name));
  await writeFile(
    join(out, name),
    bytes.map((byte, index) => (index === bytes.length >> 1 ? byte ^ 1 : byte)),
  );
}

const results = (folder: string): string[] =>
  ["model/mbs.json", "model/model.safetensors", "scores.arrow", "recipe.yaml"].map((name) => join(folder, name));

test("texts and results that are not as they were written are named, all of a step at once, and written again when they are away", async () => {
  const texts = (await filesOf(out)).filter((name) => name.startsWith("texts/"));
  const [first = "", second = "", ...others] = texts;
  assert.is(others.length, 2);
  for (const damaged of [[first, second], results("shrunk"), results("usual")]) {
    await writeFile(join(out, damaged[0] ?? ""), "null");
    for (const name of damaged.slice(1)) await (name.endsWith(".yaml") ? writeFile(join(out, name), "") : flip(name));
    const { code, stderr } = await shrink();
    assert.is(code, 65, stderr);
    const [, named = "", away = ""] =
      /^(?:.*\n)*mbs shrink: (.*) are not as the run wrote them: damaged, changed or removed; move (.*) away and run again to have them written again\n$/.exec(
        stderr,
      ) ?? [];
    assert.equal(named.split(/, | and /).sort(), damaged.map((name) => join(out, name)).sort(), stderr);
    for (const path of away.split(/, | and /)) await rm(path, { recursive: true });
  }
  await rm(join(out, "report.html"));
  await mkdir(join(out, "report.html"));
  const { code, stderr } = await shrink();
  assert.is(code, 77);
  assert.match(stderr, "report.html: a folder is there; move it away, or choose another name");
  await rm(join(out, "report.html"), { recursive: true });
  assert.is((await shrink()).code, 0);
  await requireWhole();
});

test("what a run works with is made again, and so are pages and recipes", async () => {
  const artifacts = (await filesOf(out)).filter((name) => name.startsWith("shrunk/run/artifacts/"));
  for (const name of [...artifacts, "shrunk/run/trimmed/model.safetensors", "usual/run/trimmed/tokenizer_config.json"])
    await flip(name);
  await rm(join(out, "shrunk/model"), { recursive: true });
  for (const name of ["shrunk/run/manifest.json", "usual/run/manifest.json", "usual/run/model.json"])
    await writeFile(join(out, name), "null");
  await writeFile(join(out, "report.html"), "");
  await writeFile(join(out, "shrink.yaml"), `${await readFile(join(out, "shrink.yaml"), "utf8")}# mine\n`);
  const { code, stderr } = await shrink();
  assert.is(code, 0, stderr);
  for (const said of [
    `shrink.yaml differs from the recipe of this command, and is written again`,
    `shrunk/run/trimmed/model.safetensors is damaged; ${out}/shrunk/run/trimmed is made again`,
    `usual/run/trimmed/tokenizer_config.json is damaged; ${out}/usual/run/trimmed is made again`,
    `shrunk/run/manifest.json is damaged; what it does not name any more is made again`,
    `usual/run/manifest.json is damaged; what it does not name any more is made again`,
  ])
    assert.match(stderr, said);
  await requireWhole();
});

test("an artifact that stays is made again where nothing would read its damage", async () => {
  const artifacts = (await filesOf(out)).filter((name) => name.includes("/run/artifacts/"));
  assert.ok(artifacts.some((name) => name.startsWith("shrunk/")) && artifacts.some((name) => name.startsWith("usual/")));
  for (const name of artifacts) await flip(name);
  const { code, stderr } = await shrink();
  assert.is(code, 0, stderr);
  await requireWhole();
});

test.run();
