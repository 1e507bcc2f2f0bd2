import { encodeStatistics, statisticsUnits } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, defineStage, InterruptedError, UsageError } from "@mbs/contracts";
import type { OptionTable, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { imatrixEntries } from "./imatrix-entries.ts";
import type { ImatrixEntry } from "./imatrix-entries.ts";
import { openImatrix } from "./imatrix-reader.ts";
import type { ImatrixReader, ReadSums } from "./imatrix-reader.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "the model that the matrices belong to" },
  imatrix: { kind: "resource", resource: "imatrix", many: true, description: "GGUF file of llama-imatrix or mbs imatrix" },
  language: {
    kind: "list",
    optional: true,
    placeholder: "LANG,…",
    description: "the language of each file; default: what a file of mbs imatrix --each says of itself",
  },
} as const satisfies OptionTable;

/** The language of each file. */
function languagesOf(readers: readonly ImatrixReader[], given: readonly string[] | undefined): readonly string[] {
  if (given !== undefined && given.length !== readers.length) {
    throw new UsageError(
      `--language names ${given.length} languages, --imatrix ${readers.length} files; give one language a file`,
      { option: "--language" },
    );
  }
  const languages = readers.map(({ path, datasets }, index) => {
    const own = datasets.length === 1 ? /^([^=]+)=1$/.exec(at(datasets, 0))?.[1] : undefined;
    const language = given?.[index] ?? own;
    if (language !== undefined) return language;
    throw new UsageError(`${path} does not say its language (${datasets.join(", ") || "no datasets"}); name it with --language`, {
      option: "--language",
    });
  });
  if (new Set(languages).size < languages.length) {
    throw new UsageError(`two files have one language (${languages.join(", ")}); tell them apart with --language`, {
      option: "--language",
    });
  }
  return languages;
}

/** What each site has read, by the weights that read it. */
function readersOfSites(entries: readonly ImatrixEntry[]) {
  const sites = new Map<string, { readonly entry: ImatrixEntry; readonly index: number }[]>();
  for (const entry of entries) {
    for (const [index, key] of entry.sites.entries()) {
      const name = JSON.stringify(key);
      sites.set(name, [...(sites.get(name) ?? []), { entry, index }]);
    }
  }
  return sites;
}

/** How far the sums of two weights that read one site may differ: programs add up in float32, each in its own order. */
const sameWithin = 1e-3;

const areSame = (first: Float32Array, second: Float32Array): boolean =>
  first.every((value, channel) => Math.abs(value - at(second, channel)) <= sameWithin * Math.max(value, at(second, channel)));

async function* readAll(
  model: Model,
  readers: readonly ImatrixReader[],
  languages: readonly string[],
  entries: readonly ImatrixEntry[],
  { signal, progress }: StageContext,
): AsyncGenerator<Statistic> {
  try {
    const weights = readersOfSites(entries);
    let done = 0;
    for (const { name: block, sites } of model.blocks) {
      for (const { name: site, width } of sites) {
        const reading = weights.get(JSON.stringify([block, site])) ?? [];
        for (const [at_, reader] of readers.entries()) {
          if (signal.aborted) throw new InterruptedError("read-imatrix: stopped");
          const [first, ...others] = reading.map(({ entry, index }): [string, ReadSums] => [
            entry.name,
            reader.read(entry, index),
          ]);
          if (first === undefined) continue;
          const [name, { tokens, means }] = first;
          const other = others.find(([, sums]) => !areSame(means, sums.means));
          if (other !== undefined) {
            throw new BadDataError(
              `${reader.path}: ${name} and ${other[0]} read the same inputs, but their sums differ; make it again`,
              {
                file: reader.path,
                tensor: other[0],
              },
            );
          }
          yield { block, site, language: at(languages, at_), kind: "diagonal", tokens, width, values: means };
        }
        done += 1;
        progress({ activity: "read imatrix", done, total: weights.size, unit: "sites" });
      }
    }
  } finally {
    for (const reader of readers) reader.close();
    await model.close();
  }
}

/** Stage `read-imatrix`: llama.cpp's importance matrices as statistics of languages, diagonals alone. */
export const readImatrix = defineStage({
  name: "read-imatrix",
  summary: "Read importance matrices of llama.cpp as statistics, for solvers that need diagonals, or to mix them.",
  examples: [
    "mbs read-imatrix --model M --imatrix en.gguf --imatrix hi.gguf --language en,hi > statistics.arrow",
    "mbs factor --upper off < statistics.arrow | mbs compress --model M --solver wanda > layers.arrow",
    "mbs imatrix --model M --mix en=0.5,hi=0.5 --output mixed/ < statistics.arrow",
  ],
  inputs: {},
  outputs: { statistics: { kind: "statistics", description: "E[x²] of every site and language" } },
  options,
  async run(_, values, context) {
    const model = await openModel(values.model, context);
    const readers: ImatrixReader[] = [];
    try {
      const entries = await imatrixEntries(model);
      for (const path of values.imatrix) readers.push(await openImatrix(path, entries));
      const languages = languagesOf(readers, values.language);
      return {
        statistics: encodeStatistics(readAll(model, readers, languages, entries, context), {
          model: model.address,
          tokenizer: model.tokenizerAddress,
          propagation: "dense",
          unit: statisticsUnits.plain,
          mix: undefined,
        }),
      };
    } catch (error) {
      for (const reader of readers) reader.close();
      await model.close();
      throw error;
    }
  },
});
