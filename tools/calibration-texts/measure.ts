/**
 * What the pack's texts are worth on a domain that they do not have: loss on the held-out pages of one domain, calibrated with
 * the pack's other domains, with calibration pages of that domain, with the other domains' English alone, and with nothing.
 *
 * usage: node --conditions=mbs-source --import tsx tools/calibration-texts/measure.ts --model M --output FOLDER
 *   [--languages en,de] [--domain office] [--bits 3] [--segments 16] [--length 512] [--windows 24]   (resumes; needs a build)
 *   --segments   for each language; English alone gets as many as all languages together, drawn again where it is used up
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { calibrationLanguage } from "../../packages/calibration-texts/src/index.ts";
import type { CalibrationFile } from "../../packages/calibration-texts/src/index.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    output: { type: "string" },
    languages: { type: "string", default: "en,de,ru,id,ja,hi,km,vi" },
    domain: { type: "string", default: "office" },
    bits: { type: "string", default: "3" },
    segments: { type: "string", default: "16" },
    length: { type: "string", default: "512" },
    windows: { type: "string", default: "24" },
  },
});
const { model, output, domain, windows } = values;
if (model === undefined || output === undefined) throw new Error("measure.ts: needs --model M --output FOLDER");
const languages = values.languages.split(",");
const [bits, segments, length] = [values.bits, values.segments, values.length].map(Number);
const mbs = resolve(import.meta.dirname, "../../node_modules/.bin/mbs");

const run = (...args: string[]): string =>
  execFileSync(mbs, args, { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });

/** Writes a manifest of the files that are wanted of each language. */
function manifest(name: string, tags: readonly string[], isWanted: (file: CalibrationFile) => boolean): string {
  const entries = tags.map((tag) => {
    const files = calibrationLanguage(tag)?.files.filter(isWanted) ?? [];
    if (files.length === 0) throw new Error(`measure.ts: ${tag} has no texts for ${name}; leave it out of --languages`);
    return [tag, files.map(({ path }) => path)] as const;
  });
  const path = join(output ?? "", `${name}.yaml`);
  writeFileSync(path, stringify({ name, languages: Object.fromEntries(entries) }));
  return path;
}

const isOfPart =
  (part: CalibrationFile["part"], isDomain: boolean) =>
  (file: CalibrationFile): boolean =>
    file.part === part && (file.source.domain === domain) === isDomain;

function compress(name: string, corpus: string, tags: readonly string[], compression: object): string {
  const folder = join(output ?? "", name);
  const all = (segments ?? 0) * languages.length;
  const recipe = {
    model,
    corpus,
    sample: { mix: "equal", languages: tags, segments: all, length, seed: 0, reuse: true },
    compress: { bits, groupSize: 64, ...compression },
    output: folder,
  };
  const path = join(output ?? "", `recipe-${name}.yaml`);
  writeFileSync(path, stringify(recipe));
  run("run", path, "--quiet");
  return join(folder, "model");
}

interface Scores {
  readonly results: readonly { readonly model: string; readonly language: string; readonly perplexity: number }[];
}

mkdirSync(output, { recursive: true });
const others = manifest("others", languages, isOfPart("calibration", false));
const gptq = { solver: "gptq" };
const models = new Map([
  ["dense", model],
  ["in-domain", compress("in-domain", manifest("domain", languages, isOfPart("calibration", true)), languages, gptq)],
  ["pack", compress("pack", others, languages, gptq)],
  ["english", compress("english", others, ["en"], gptq)],
  ["nothing", compress("nothing", others, languages, { solver: "rtn" })],
]);
const heldOut = manifest("held-out", languages, isOfPart("held-out", true));
const { results } = JSON.parse(
  run(
    "evaluate",
    ...[...models.values()].flatMap((folder) => ["--model", folder]),
    "--labels",
    [...models.keys()].join(","),
    "--corpus",
    heldOut,
    "--windows",
    windows,
    "--length",
    String(length),
    "--json",
    "--quiet",
  ),
) as Scores;
writeFileSync(join(output, "results.json"), `${JSON.stringify(results, null, 2)}\n`);

const perplexityOf = (name: string, language: string): number =>
  results.find((row) => row.model === name && row.language === language)?.perplexity ?? Number.NaN;
const names = [...models.keys()].slice(1);
const rises = languages.map((language) =>
  names.map((name) => Math.log(perplexityOf(name, language) / perplexityOf("dense", language))),
);
const mean = names.map((_, index) => rises.reduce((sum, row) => sum + (row[index] ?? Number.NaN), 0) / rises.length);
const row = (label: string, cells: readonly number[]): string =>
  `| ${label} | ${cells.map((cell) => cell.toFixed(3)).join(" | ")} |`;
process.stdout.write(
  `Rise in nats a token on held-out pages of the domain ${domain}\n\n| language | ${names.join(" | ")} |\n|---|${names.map(() => "---:|").join("")}\n` +
    `${languages.map((language, index) => row(language, rises[index] ?? [])).join("\n")}\n${row("mean", mean)}\n`,
);
