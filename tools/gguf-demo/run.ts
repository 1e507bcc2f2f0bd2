/**
 * The controlled Llama as GGUF: `./scripts/demo --gguf [--output FOLDER] [--type Q3_K_S]`
 *
 * Writes it three times: as it is in F16, rounded to nearest in the type, and by gptq on the type's own grids; then compares
 * size and perplexity by language on held-out texts.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    gguf: { type: "boolean" },
    output: { type: "string", default: "demo-gguf" },
    type: { type: "string", default: "Q3_K_S" },
  },
});
const root = resolve(import.meta.dirname, "../..");
const output = resolve(values.output);
const model = join(root, "datasets/controlled-llama");
const texts = join(root, "datasets/controlled-texts");
mkdirSync(output, { recursive: true });

function mbs(...given: readonly string[]): void {
  const { status } = spawnSync(process.execPath, [join(root, "packages/mbs/bin/mbs.js"), ...given], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

mbs(
  "assemble",
  "--model",
  model,
  "--format",
  "gguf",
  "--type",
  "F16",
  "--without-layers",
  "--output",
  join(output, "f16"),
  "--force",
);
for (const solver of ["rtn", "gptq"]) {
  const recipe = join(output, `${solver}.yaml`);
  writeFileSync(
    recipe,
    [
      `model: ${model}`,
      `corpus: ${join(texts, "calibration.yaml")}`,
      `output: ${join(output, solver)}`,
      "sample: { segments: 128, length: 128 }",
      `compress: { solver: ${solver} }`,
      `assemble: { format: gguf, type: ${values.type} }`,
      "",
    ].join("\n"),
  );
  mbs("run", recipe);
}
const written = ["f16", "rtn/model", "gptq/model"].flatMap((folder) => ["--model", join(output, folder)]);
const corpus = ["--corpus", join(texts, "heldout.yaml"), "--windows", "4", "--length", "128"];
mbs("evaluate", ...written, "--labels", "f16,rtn,gptq", ...corpus, "--output", join(output, "scores.arrow"), "--force");
process.stdout.write(
  `\nThe files are ${output}/f16/model.gguf, rtn/model/model.gguf and gptq/model/model.gguf: llama-cli -m FILE -p "The history of the"\n`,
);
