import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InternalError, languageTag } from "@mbs/contracts";
import { textSources } from "./sources.ts";
import type { Part, SourceName, TextSource } from "./sources.ts";

/** The texts of one language from one source, in one file. */
export interface CalibrationFile {
  readonly source: TextSource & { readonly name: SourceName };
  readonly part: Part;
  /** JSON lines with `text`, `source` and `page`, gzipped. */
  readonly path: string;
  readonly documents: number;
  /** Of the texts alone, in UTF-8. */
  readonly bytes: number;
}

export interface CalibrationLanguage {
  /** BCP 47, as `languageTag` of @mbs/contracts writes it: hi, zh-Hans, sr-Latn. */
  readonly tag: string;
  /** In the order of `textSources`. */
  readonly files: readonly CalibrationFile[];
}

/** data/index.json: source, part, documents and bytes of each file of a language. */
type Index = Readonly<Record<string, readonly (readonly [source: SourceName, part: Part, documents: number, bytes: number])[]>>;

const data = new URL("../data/", import.meta.url);

const pathOf = (name: string): string => fileURLToPath(new URL(name, data));

/** Manifests of all languages, which every option `--corpus` takes. */
export const calibrationCorpora: Readonly<Record<Part, string>> = {
  calibration: pathOf("calibration.yaml"),
  "held-out": pathOf("held-out.yaml"),
};

let languages: ReadonlyMap<string, CalibrationLanguage> | undefined;

function readIndex(): ReadonlyMap<string, CalibrationLanguage> {
  const sources = new Map(textSources.map((source) => [source.name, source]));
  const index = JSON.parse(readFileSync(pathOf("index.json"), "utf8")) as Index;
  return new Map(
    Object.entries(index).map(([tag, files]) => [
      tag,
      {
        tag,
        files: files.map(([name, part, documents, bytes]) => {
          const source = sources.get(name);
          if (source === undefined) throw new InternalError(`data/index.json: no source ${name}`);
          return { source, part, path: pathOf(`${part}/${tag}.${name}.jsonl.gz`), documents, bytes };
        }),
      },
    ]),
  );
}

/** All languages, in the order of their tags. */
export const calibrationLanguages = (): readonly CalibrationLanguage[] => [...(languages ??= readIndex()).values()];

/**
 * A language by its tag or by whatever people write for it: hi, hin, hin_Deva; zh_CN, zho_Hans.
 *
 * @returns undefined where there are no texts of it, or the name is no tag
 */
export function calibrationLanguage(name: string): CalibrationLanguage | undefined {
  const tag = languageTag(name);
  return tag === undefined ? undefined : (languages ??= readIndex()).get(tag);
}
