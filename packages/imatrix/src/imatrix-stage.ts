import { encodeFiles } from "@mbs/artifacts";
import type { FilePiece } from "@mbs/artifacts";
import { defineStage } from "@mbs/contracts";
import { mixForms, parseMix } from "@mbs/corpora";
import type { ArtifactStream, OptionTable, OptionValues, StageContext } from "@mbs/contracts";
import { filePieces, openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { imatrixEntries } from "./imatrix-entries.ts";
import type { ImatrixEntry } from "./imatrix-entries.ts";
import { imatrixFile } from "./imatrix-file.ts";
import { findMix } from "./imatrix-mix.ts";
import type { NamedMix } from "./imatrix-mix.ts";
import { ScratchDiagonals } from "./scratch-diagonals.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "the model that was captured: names, widths and sites" },
  mix: {
    kind: "text",
    optional: true,
    placeholder: "MIX",
    description: `weight of each language: ${mixForms}; default: the mix given to capture, else the tokens seen of it`,
    check: (text: string) => parseMix(text),
  },
  distribution: {
    kind: "resource",
    resource: "distribution",
    optional: true,
    description:
      "training mixture for proportional and temperature: a JSON file or the name of a preset (the model's distribution.json)",
  },
  each: { kind: "flag", description: "write a file for each language too" },
} as const satisfies OptionTable;

type ImatrixOptions = OptionValues<typeof options>;

/** File name → what it mixes. The languages of the corpus name files, so letters that folders care about are escaped. */
function listFiles(mix: NamedMix, languages: readonly string[], each: boolean): ReadonlyMap<string, NamedMix> {
  return new Map([
    ["imatrix.gguf", mix],
    ...(each ? languages : []).map((language): [string, NamedMix] => [
      `imatrix-${encodeURIComponent(language)}.gguf`,
      { name: "only", weights: new Map([[language, 1]]) },
    ]),
  ]);
}

async function* writeAll(
  statistics: readonly ArtifactStream[],
  model: Model,
  entries: readonly ImatrixEntry[],
  values: ImatrixOptions,
  context: StageContext,
): AsyncGenerator<FilePiece> {
  const { signal, progress, warn } = context;
  const diagonals = new ScratchDiagonals();
  try {
    for (const stream of statistics) await diagonals.add(stream, model, context);
    const { languages, mix: captured } = diagonals;
    const distribution = values.distribution ?? model.path;
    const mix = await findMix(values.mix, { languages, captured, distribution, warn });
    const files = listFiles(mix, languages, values.each);
    let done = 0;
    for (const [path, own] of files) {
      yield* filePieces({ path, content: () => imatrixFile(entries, diagonals, own) }, "imatrix", signal);
      done += 1;
      progress({ activity: "imatrix", done, total: files.size, unit: "files" });
    }
  } finally {
    diagonals.close();
    await model.close();
  }
}

/** Stage `imatrix`: the languages' statistics, mixed, as llama.cpp's importance matrix. */
export const imatrix = defineStage({
  name: "imatrix",
  summary: "Write importance matrices for llama.cpp from the languages' statistics, mixed as you like.",
  examples: [
    "mbs capture --model M --statistics diagonal < segments.arrow | mbs imatrix --model M --output imatrix/",
    "mbs imatrix --model M --mix equal --each --output imatrix/ < statistics.arrow",
    "mbs imatrix --model M --mix en=0.5,hi=0.5 --output imatrix/ < statistics.arrow",
  ],
  inputs: {
    statistics: { kinds: ["statistics"], many: true, description: "statistics of each language, of every block; diagonals do" },
  },
  outputs: {
    files: { kind: "files", folder: true, description: "imatrix.gguf, with --each imatrix-LANG.gguf for every language" },
  },
  options,
  async run({ statistics }, values, context) {
    const model = await openModel(values.model, context);
    try {
      const entries = await imatrixEntries(model);
      return { files: encodeFiles(writeAll(statistics, model, entries, values, context), { model: model.address }) };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
});
