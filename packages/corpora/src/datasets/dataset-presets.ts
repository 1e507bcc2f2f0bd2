import { culturaxConfigs, finewebConfigs, madladConfigs, xlsumConfigs } from "./language-configs.ts";

/** What is known of a dataset without asking for it. */
export interface DatasetPreset {
  readonly license: string;
  /** Where it is not "main". */
  readonly revision?: string;
  /** The first is the default. */
  readonly splits: readonly string[];
  /** Its files; {config} and {split} stand for those. */
  readonly path: string;
  /** Language tag → config. */
  readonly configs: ReadonlyMap<string, string>;
  /** Config of a language that `configs` does not have; absent where there are no others. */
  readonly otherConfig?: (language: string, script: string, usual: boolean) => string | undefined;
  /** What to do about a language that it does not have. */
  readonly remedy?: string;
}

/** Scripts that a dataset does not divide as CLDR does. */
const scripts: Readonly<Record<string, string>> = { Hans: "Hani", Hant: "Hani", Kore: "Hang" };

/** Datasets whose configs are known by language tag, by their names on the Hub. */
export const datasetPresets: ReadonlyMap<string, DatasetPreset> = new Map<string, DatasetPreset>([
  [
    "HuggingFaceFW/fineweb-2",
    {
      license: "ODC-By-1.0",
      splits: ["train", "test"],
      path: "data/{config}/{split}/*.parquet",
      configs: finewebConfigs,
      otherConfig(language, script) {
        const [code] = finewebConfigs.get(language)?.split("_") ?? (language.length === 3 ? [language] : []);
        return code && `${code}_${scripts[script] ?? script}`;
      },
      remedy: "for English name hf:datasets/HuggingFaceFW/fineweb?path=sample/10BT/*.parquet",
    },
  ],
  [
    "allenai/MADLAD-400",
    {
      license: "ODC-By-1.0",
      splits: ["clean", "noisy"],
      path: "data/{config}/{config}_{split}_*.jsonl.gz",
      configs: madladConfigs,
      otherConfig: (language, script, usual) => (usual ? language : `${language}_${script}`),
    },
  ],
  [
    "uonlp/CulturaX",
    { license: "ODC-By-1.0 (mC4), and OSCAR's terms", splits: ["train"], path: "{config}/*.parquet", configs: culturaxConfigs },
  ],
  [
    "csebuetnlp/xlsum",
    {
      license: "CC-BY-NC-SA-4.0",
      // its own files are archives with a script; this branch has them as Parquet
      revision: "refs/convert/parquet",
      splits: ["train", "validation", "test"],
      path: "{config}/{split}/*.parquet",
      configs: xlsumConfigs,
    },
  ],
]);

/**
 * The config of a language: of the tag as it is, of language and script, or of the language where the script is its usual one.
 *
 * @param tag of BCP 47, as in the project's manifests: "hi", "zh-Hant", "sr-Latn", "pt-BR"; also with "_"
 * @returns undefined where the dataset does not have it
 */
export function configOf({ configs, otherConfig }: DatasetPreset, tag: string): string | undefined {
  const exact = configs.get(tag);
  if (exact !== undefined) return exact;
  let locale: Intl.Locale;
  let usual: Intl.Locale;
  try {
    locale = new Intl.Locale(tag.replaceAll("_", "-")).maximize();
    usual = new Intl.Locale(locale.language).maximize();
  } catch {
    return undefined;
  }
  const { language, script } = locale;
  const isUsual = script === usual.script;
  const found = configs.get(`${language}-${script}`) ?? (isUsual ? configs.get(language) : undefined);
  return found ?? (script === undefined ? undefined : otherConfig?.(language, script, isUsual));
}
