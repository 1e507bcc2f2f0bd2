import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { snakefile } from "../../src/export/snakefile.ts";
import { handPlan } from "../fixtures/hand-plan.ts";

const test = suite<{ root: string }>("snakefile");
test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-snakefile-"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

test("a rule names what it waits for and what it writes, with threads and memory", async ({ root }) => {
  const text = snakefile({ ...handPlan(root, "out"), threads: 3 }, 1_500_000_001);
  assert.ok(text.includes(`workdir: ${JSON.stringify(join(root, "out"))}\n`));
  assert.ok(
    text.includes(`rule all:
    input:
        "last.arrow",
`),
  );
  assert.ok(
    text.includes(`rule mbs_read_h_0_2:
    input:
        "artifacts/first.arrow",
    output:
        temp("artifacts/read.h.0.arrow"),
    threads: 3
    resources:
        mem_mb=1501,
    shell:
        "cat < out/artifacts/first.arrow > out/artifacts/read.h.0.arrow"
`),
    text,
  );
  assert.ok(text.includes('output:\n        directory("model"),'));
  assert.not.match(snakefile(handPlan(root, "out")), /mem_mb/);
});

const hasSnakemake = spawnSync("snakemake", ["--version"]).status === 0;
if (!hasSnakemake) process.stderr.write("snakefile: one test skipped, there is no snakemake; Debian has it as a package\n");

(hasSnakemake ? test : (name: string) => test.skip(name))(
  "Snakemake runs it, also where names have spaces, quotes, braces and dollar signs",
  async ({ root }) => {
    const odd = join(root, `it's {a} {{b}} "c" $HOME \\n é`);
    const output = `o'ut {a} {{b}} "c" $HOME \\n é`;
    await mkdir(odd);
    const file = join(root, "Snakefile");
    await writeFile(file, snakefile(handPlan(odd, output), 1e6));
    const { status, stderr } = spawnSync("snakemake", ["--snakefile", file, "--cores", "2"], { cwd: root, encoding: "utf8" });
    assert.is(status, 0, stderr);
    assert.equal((await readdir(odd)).sort(), [output]);
    const found = (await readdir(join(odd, output), { recursive: true })).filter((name) => !name.includes(".snakemake")).sort();
    assert.equal(found, ["artifacts", "artifacts/first.arrow", "last.arrow", "model", "model/file"]);
    assert.is(await readFile(join(odd, output, "last.arrow"), "utf8"), `{x} {{y}} it's "z"\n`.repeat(2));
  },
);

test.run();
