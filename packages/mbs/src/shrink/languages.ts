import { UsageError } from "@mbs/contracts";
import type { Distribution } from "@mbs/corpora";
import { favour as favourWeight, mostLanguages } from "./defaults.ts";

/** The language and script that a tag stands for, "hi-Deva": zh-Hans, zho_Hans and zh_CN are one. Undefined for what is no tag. */
export function languageKey(tag: string): string | undefined {
  try {
    const { language, script } = new Intl.Locale(tag.replaceAll("_", "-")).maximize();
    return script === undefined ? language : `${language}-${script}`;
  } catch {
    return undefined;
  }
}

/** Languages that are protected, and how much each weighs. */
export interface ProtectedLanguages {
  /** By their names in the texts, with weights on any scale. */
  readonly weights: ReadonlyMap<string, number>;
  /** Where the weights come from, for the plan: "equal", or the name of a mixture. */
  readonly origin: string;
}

/** What languages are chosen from. */
export interface LanguageSources {
  /** Names of languages that there are texts of. */
  readonly offered: readonly string[];
  /** The model's training mixture, where one is known. */
  readonly mixture: Distribution | undefined;
  /** Languages that the model's card names. */
  readonly ofCard: readonly string[];
}

/** The name among `offered` for a language, however that is written; only names that are tags, since files are called so. */
const nameOf = (tag: string, offered: readonly string[]): string | undefined => {
  const key = languageKey(tag);
  if (key === undefined) return undefined;
  return offered.includes(tag) ? tag : offered.find((name) => languageKey(name) === key);
};

/** @throws {UsageError} for languages without texts, or that are no language tags */
function namesOf(tags: readonly string[], offered: readonly string[], option: string): string[] {
  const unknown = tags.filter((tag) => languageKey(tag) === undefined);
  if (unknown.length > 0) {
    throw new UsageError(`${option} takes language tags such as hi or zh-Hans, not ${unknown.join(", ")}`, { option });
  }
  const missing = tags.filter((tag) => nameOf(tag, offered) === undefined);
  if (missing.length > 0) {
    throw new UsageError(
      `no texts of ${missing.join(", ")}; give texts of your own with --texts, a folder of files such as ${missing[0] ?? "hi"}.txt`,
      { option, languages: missing.join(",") },
    );
  }
  return [...new Set(tags.flatMap((tag) => nameOf(tag, offered) ?? []))];
}

/** @throws {UsageError} with suggestions, where no language is named and no mixture is known */
function refuseUnnamed({ ofCard, offered }: LanguageSources): never {
  const known = ofCard.length === 0 ? offered : ofCard;
  const some = known.slice(0, 12).join(",");
  throw new UsageError(
    `which languages are to be protected? Name them with --languages, such as --languages ${some}${ofCard.length === 0 ? "" : ", which the model's card names"}; the others stay in the model`,
    { option: "--languages" },
  );
}

/**
 * The languages that calibration and evaluation are about.
 *
 * @param asked of --languages, as they were written; undefined where none were named
 * @param favoured of --favour: each weighs `favour` times as much
 * @throws {UsageError} where there are no texts of one, or none is named and the model's mixture is not known
 */
export function chooseLanguages(
  sources: LanguageSources,
  asked: readonly string[] | undefined,
  favoured: readonly string[],
): ProtectedLanguages {
  const { offered, mixture } = sources;
  const shares = new Map(
    [...(mixture?.shares ?? [])].flatMap(([language, share]) => {
      const name = nameOf(language, offered);
      return name === undefined ? [] : [[name, share] as const];
    }),
  );
  if (asked === undefined && shares.size === 0) return refuseUnnamed(sources);
  const largest = [...shares].sort(([, one], [, other]) => other - one).slice(0, mostLanguages);
  const names = asked === undefined ? largest.map(([name]) => name) : namesOf(asked, offered, "--languages");
  if (names.length === 0) return refuseUnnamed(sources);
  const more = namesOf(favoured, offered, "--favour");
  const lost = more.find((name) => !names.includes(name));
  if (lost !== undefined) {
    throw new UsageError(`--favour ${lost} is none of the protected languages; add it to --languages`, { option: "--favour" });
  }
  // a language that the mixture lacks would have no weight
  const areKnown = names.every((name) => shares.has(name));
  const weightOf = (name: string): number => (areKnown ? (shares.get(name) ?? 0) : 1) * (more.includes(name) ? favourWeight : 1);
  return {
    weights: new Map(names.map((name) => [name, weightOf(name)])),
    origin: areKnown && mixture !== undefined ? mixture.name : "equal",
  };
}
