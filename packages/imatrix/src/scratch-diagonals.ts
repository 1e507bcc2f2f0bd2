import {
  allLanguages,
  isReadSite,
  parseMetadata,
  readStatistics,
  ScratchFile,
  statisticsUnits,
  embeddingsBlock,
} from "@mbs/artifacts";
import type { ScratchSlot, Statistic } from "@mbs/artifacts";
import { BadDataError, InternalError, InterruptedError } from "@mbs/contracts";
import type { ArtifactStream, LanguageMix, StageContext } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import { requireSameModel } from "@mbs/models";
import type { Model } from "@mbs/models";

/** One language at one site. */
interface StoredDiagonal {
  readonly tokens: number;
  readonly slot: ScratchSlot;
}

/** A site by the names of its block and its own. */
export type SiteKey = readonly [block: string, site: string];

const keyOf = (block: string, site: string): string => JSON.stringify([block, site]);

/** E[x²] of every site and language, in a temporary file: a hundred languages do not fit into memory. */
export class ScratchDiagonals {
  readonly #scratch = new ScratchFile();
  readonly #sites = new Map<string, Map<string, StoredDiagonal>>();
  readonly #languages = new Set<string>();
  /** The mix that was given to capture, where all statistics have the same one. */
  mix: LanguageMix | undefined;

  /** Sorted. */
  get languages(): readonly string[] {
    return [...this.#languages].sort();
  }

  /** Language → the tokens that a site has seen of it; empty for a site without statistics. */
  tokens([block, site]: SiteKey): ReadonlyMap<string, number> {
    return new Map([...(this.#sites.get(keyOf(block, site)) ?? [])].map(([language, { tokens }]) => [language, tokens]));
  }

  /** E[x²] of one language at a site, a mean over its tokens. */
  read([block, site]: SiteKey, language: string): Float32Array {
    const stored = this.#sites.get(keyOf(block, site))?.get(language);
    if (stored === undefined) throw new InternalError(`imatrix: no statistics of ${block} ${site} in ${language}`);
    return new Float32Array(this.#scratch.read(stored.slot).buffer);
  }

  /**
   * Adds the statistics of an artifact.
   *
   * @throws {BadDataError} where they are of another model, have normalised tokens, contradict its sites, or come twice
   */
  async add(stream: ArtifactStream, model: Model, { signal, progress }: StageContext): Promise<void> {
    const { model: address, mix, unit } = parseMetadata("statistics", stream.schema);
    if (unit !== statisticsUnits.plain) {
      throw new BadDataError(
        "the statistics have normalised tokens, and an importance matrix is of the inputs as they are; capture without --normalise-tokens",
      );
    }
    requireSameModel("the statistics", address, model, "capture again");
    const widths = new Map(
      model.blocks.flatMap(({ name, sites }) => sites.map(({ name: site, width }) => [keyOf(name, site), width] as const)),
    );
    this.#takeMix(mix && new Map(Object.entries(mix)));
    for await (const statistic of readStatistics(stream)) {
      if (signal.aborted) throw new InterruptedError("imatrix: stopped");
      const { block, site, language, kind, width } = statistic;
      // llama.cpp's embedding and output are not matched yet: what is captured of them is passed over
      if (block === embeddingsBlock || !isReadSite(site) || language === allLanguages || kind === "cross-moment") continue;
      const key = keyOf(block, site);
      const expected = widths.get(key);
      if (expected !== width) {
        const what = expected === undefined ? "is no site of the model" : `has ${width} channels, in the model ${expected}`;
        throw new BadDataError(`statistics of ${block} ${site}: it ${what}; capture again`, { block, site });
      }
      this.#store(key, statistic);
      progress({ activity: "read statistics", done: this.#sites.size, total: widths.size, unit: "sites" });
    }
  }

  close(): void {
    this.#scratch.close();
  }

  #takeMix(mix: LanguageMix | undefined): void {
    if (this.#sites.size === 0) this.mix = mix;
    else if (JSON.stringify([...(mix ?? [])]) !== JSON.stringify([...(this.mix ?? [])])) this.mix = undefined;
  }

  #store(key: string, { block, site, language, kind, tokens, width, values }: Statistic): void {
    const languages = this.#sites.get(key) ?? new Map<string, StoredDiagonal>();
    this.#sites.set(key, languages);
    if (languages.has(language)) {
      throw new BadDataError(`statistics of ${block} ${site} in ${language} come twice; give them once`, {
        block,
        site,
        language,
      });
    }
    this.#languages.add(language);
    languages.set(language, { tokens, slot: this.#scratch.append(kind === "gram" ? packedDiagonal(values, width) : values) });
  }
}
