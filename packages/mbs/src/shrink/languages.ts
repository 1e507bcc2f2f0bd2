import { basename } from "node:path";
import { didYouMeanLanguage, isNoLanguage, languageName, languageTag, nearestLanguage, UsageError } from "@mbs/contracts";
import type { Distribution } from "@mbs/corpora";
import { mostLanguages } from "./defaults.ts";

/** Languages that are protected: each has as much text. */
export interface ProtectedLanguages {
  readonly tags: readonly string[];
  /** Those of them that count double. */
  readonly favoured: readonly string[];
  /** Of each tag the name that the texts have for it. */
  readonly names: ReadonlyMap<string, string>;
}

/** What languages are chosen from. */
export interface LanguageSources {
  /** Names of languages that there are texts of. */
  readonly offered: readonly string[];
  /** Of the texts. */
  readonly files: readonly string[];
  /** The model's training mixture, where one is known. */
  readonly mixture: Distribution | undefined;
  /** Languages that the model's card names. */
  readonly ofCard: readonly string[];
}

/** Most languages that a message names. */
const mostNamed = 20;

/** "rename hindi.txt to hi.txt; " by language, where there are texts of it by a name that is no tag. */
function renamings(missing: readonly string[], { offered, files }: LanguageSources): ReadonlyMap<string, string> {
  // codes of three letters are right also where a small language has no name
  const untagged = offered.filter((name) => name.length !== 3 && languageName(name) === undefined);
  const found = missing.flatMap((tag): [string, string][] => {
    const name = nearestLanguage(tag, untagged);
    if (name === undefined) return [];
    const file = files.map((path) => basename(path)).find((base) => base.startsWith(`${name}.`));
    const [from, to] = file === undefined ? [name, tag] : [file, `${tag}${file.slice(name.length)}`];
    return [[tag, `rename ${from} to ${to}; `]];
  });
  return new Map(found);
}

/** @throws {UsageError} for languages without texts, or that are no tags of known ones */
function requireTags(
  tags: readonly string[],
  offered: ReadonlyMap<string, string>,
  sources: LanguageSources,
  option: string,
): string[] {
  const names = sources.offered;
  const named = tags.map((tag) => ({ tag, known: languageTag(tag) }));
  const isKnown = ({ tag, known }: (typeof named)[number]): boolean =>
    known !== undefined && (offered.has(known) || !isNoLanguage(tag));
  const unknown = named.filter((own) => !isKnown(own)).map(({ tag }) => tag);
  if (unknown.length > 0) {
    const near = didYouMeanLanguage(unknown, [...offered.keys()]);
    throw new UsageError(
      `${option}: ${unknown.join(", ")} is no tag of a known language (ISO 639), such as hi or zh-Hans${near === "" ? "" : `; ${near.trimEnd()}`}`,
      { option },
    );
  }
  const missing = named.filter(({ known = "" }) => !offered.has(known)).map(({ tag }) => tag);
  if (missing.length > 0) {
    const few = names.length <= mostNamed ? `, but of ${names.join(", ")}` : "";
    const renamed = renamings(missing, sources);
    const others = missing.filter((tag) => !renamed.has(tag));
    const remedy = `${[...renamed.values()].join("")}${didYouMeanLanguage(others, [...offered.keys()])}`;
    throw new UsageError(
      `no texts of ${missing.join(", ")}${few}; ${remedy}give texts of your own with --texts, a folder of files such as ${missing[0] ?? "hi"}.txt`,
      { option, languages: missing.join(",") },
    );
  }
  return [...new Set(named.flatMap(({ known }) => known ?? []))];
}

/** @throws {UsageError} with suggestions, where no language is named and no mixture is known */
function refuseUnnamed({ ofCard, offered }: LanguageSources): never {
  const tags = new Set(offered.map(languageTag));
  const ofModel = [...new Set(ofCard.flatMap((name) => languageTag(name) ?? []))].filter((tag) => tags.has(tag));
  const named = ofModel.length > 0 ? `${ofModel.slice(0, 8).join(",")}, which the model's card names` : "hi,en,km";
  throw new UsageError(
    `which languages are to be protected? Name them with --languages, such as --languages ${named}; the others stay in the model`,
    { option: "--languages" },
  );
}

/**
 * The languages that calibration and evaluation are about.
 *
 * @param asked of --languages, as they were written; undefined where none were named
 * @param favoured of --favour
 * @throws {UsageError} where there are no texts of one, or none is named and the model's mixture is not known
 */
export function chooseLanguages(
  sources: LanguageSources,
  asked: readonly string[] | undefined,
  favoured: readonly string[],
): ProtectedLanguages {
  const { mixture } = sources;
  const offered = new Map<string, string>();
  for (const name of sources.offered) {
    const tag = languageTag(name);
    const other = tag === undefined ? undefined : offered.get(tag);
    if (other !== undefined && (asked ?? []).some((own) => languageTag(own) === tag)) {
      throw new UsageError(`the texts have ${other} and ${name}, which are one language, ${tag ?? ""}; put them under one name`, {
        option: "--texts",
      });
    }
    if (tag !== undefined) offered.set(tag, other ?? name);
  }
  const shares = new Map<string, number>();
  for (const [language, share] of mixture?.shares ?? []) {
    const tag = languageTag(language);
    if (tag !== undefined && offered.has(tag)) shares.set(tag, (shares.get(tag) ?? 0) + share);
  }
  const largest = [...shares].sort(([, one], [, other]) => other - one).slice(0, mostLanguages);
  const tags = asked === undefined ? largest.map(([tag]) => tag) : requireTags(asked, offered, sources, "--languages");
  if (tags.length === 0) return refuseUnnamed(sources);
  const double = requireTags(favoured, offered, sources, "--favour");
  const lost = double.find((tag) => !tags.includes(tag));
  if (lost !== undefined) {
    throw new UsageError(`--favour ${lost} is none of the protected languages; add it to --languages`, { option: "--favour" });
  }
  return {
    // alike, whatever their shares in training: languages lose less in the mean so, and the smallest far less (docs/languages.md)
    tags,
    favoured: double,
    names: new Map(tags.map((tag) => [tag, offered.get(tag) ?? tag])),
  };
}
