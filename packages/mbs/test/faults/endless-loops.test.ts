import { spawn } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import * as assert from "uvu/assert";
import { done, faultSuite, refused, sampling } from "../fixtures/fault-suite.ts";
import { program } from "../fixtures/program.ts";

const test = faultSuite("loops without end");

test("a tokenizer whose pattern takes exponential time is 65 in every command that reads texts", async ({ model, path }) => {
  const hostile = path("hostile");
  await cp(model, hostile, { recursive: true });
  const file = join(hostile, "tokenizer.json");
  const split = { type: "Split", pattern: { Regex: "(a|a)*b" }, behavior: "Isolated", invert: false };
  const json = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...json, pre_tokenizer: { type: "Sequence", pretokenizers: [split] } }));
  const corpus = path("hostile-corpus");
  await mkdir(corpus);
  await writeFile(join(corpus, "en.txt"), `${"a".repeat(200)}\n\n`.repeat(60));
  const message = new RegExp(
    `en: ${file}: pre_tokenizer\\.pretokenizers\\[0\\]\\.pattern, "\\(a\\|a\\)\\*b", takes more than 2000 ms for the text "a+… \\(\\d+ characters\\); take the file from the model's source again, or simplify the pattern\n$`,
  );
  await refused([...sampling(hostile, corpus), "--quiet"], 65, message, { output: path("no.arrow") });
  await refused(["evaluate", "--model", hostile, "--corpus", corpus, "--length", "32", "--quiet"], 65, message, {
    output: path("no.arrow"),
  });
  const recipe = path("hostile.yaml");
  await writeFile(
    recipe,
    `model: ${hostile}\ncorpus: ${corpus}\noutput: ${path("out")}\nsample: { mix: equal, segments: 4, length: 32 }\ncompress: { solver: rtn }\n`,
  );
  await refused(["estimate", recipe, "--quiet"], 65, message);
});

test("29: a solver that never returns ends at the second SIGINT, with its signal and a line", async ({ model, corpus, path }) => {
  const [segments, statistics, factors] = [path("segments.arrow"), path("statistics.arrow"), path("factors.arrow")];
  await done([...sampling(model, corpus), "--output", segments]);
  await done(["capture", "--model", model, "--source", segments, "--output", statistics]);
  await done(["factor", "--statistics", statistics, "--output", factors]);
  const solver = path("endless.mjs");
  await writeFile(
    solver,
    `export default { name: "endless", source: "here", summary: "never returns", needs: [], options: {},
      solve() { console.error("begun"); for (;;); } };\n`,
  );
  const output = path("no.arrow");
  const command = ["compress", "--model", model, "--solver", solver, "--factors", factors, "--output", output, "--quiet"];
  const child = spawn(process.execPath, [program, ...command]);
  let stderr = "";
  const begun = new Promise<void>((resolve) => {
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      if (stderr.includes("begun")) resolve();
    });
  });
  const ended = new Promise<unknown>((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  await Promise.race([begun, ended]);
  child.kill("SIGINT");
  assert.is(await Promise.race([ended, delay(1000, "still there")]), "still there", stderr);
  child.kill("SIGINT");
  // half a second on an idle machine; without an end there is none
  const how = await Promise.race([ended, delay(20_000, "still there", { ref: false })]);
  child.kill("SIGKILL");
  assert.is(how, "SIGINT", stderr);
  assert.match(stderr, /\nmbs compress: interrupted again, stopping at once; [^\n]*run the command again\n$/);
});

test.run();
