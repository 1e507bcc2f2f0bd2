/**
 * What compressed models of a comparison do to each language by `mbs predict`, on validation text and the dense model's inputs: for
 * rows that tools/compare/run.ts has made, whose layers are there.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/damage.ts --model M --texts FOLDER --output FOLDER
 *          --rows "gptq-3 equal,gptq-3 english" [--threads N]
 *   --model, --texts, --output   as run.ts was given them, with --size twelve
 *
 * Writes FOLDER/damage/ROW.json, the mean damage of all tensors by language; what is there is not made again. The statistics beside
 * it take 5 GB.
 */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { artifactName, collect, meanDamages, openArtifact, readDamage, RunManifest } from "@mbs/artifacts";
import { parseRowOptions } from "./row-options.ts";
import { fileStem, sizes } from "./rows.ts";
import { startMbs } from "./start.ts";
import { damageFile, damageFolder } from "./row-files.ts";

const { model, texts, output, rows, threads } = parseRowOptions("damage.ts");
const folder = join(output, damageFolder);
const [segments, statistics] = [join(folder, "segments.arrow"), join(folder, "statistics.arrow")];
const dense = ["--model", model];
await mkdir(folder, { recursive: true });
if (!existsSync(segments)) {
  const amount = ["--mix", "equal", "--segments", String(sizes.twelve.segments), "--length", String(sizes.twelve.length)];
  const corpus = ["--corpus", join(texts, "validation.yaml")];
  startMbs(["sample", ...dense, ...corpus, ...amount, "--output", segments, "--quiet"], threads);
}
if (!existsSync(statistics)) {
  startMbs(["capture", ...dense, "--normalise-tokens", "--source", segments, "--output", statistics, "--quiet"], threads);
}
for (const row of rows) {
  const path = join(output, damageFile(row));
  if (existsSync(path)) continue;
  const run = join(output, fileStem(row), "run");
  const manifest = await RunManifest.open(join(run, "manifest.json"));
  const layers = manifest.addressesOf("layers").flatMap((address) => ["--layers", join(run, "artifacts", artifactName(address))]);
  const damage = join(folder, "damage.arrow");
  startMbs(["predict", ...dense, "--statistics", statistics, ...layers, "--output", damage, "--force", "--quiet"], threads);
  const means = meanDamages(await collect(readDamage(await openArtifact(damage))));
  await writeFile(path, JSON.stringify(Object.fromEntries(means)));
  await rm(damage);
}
