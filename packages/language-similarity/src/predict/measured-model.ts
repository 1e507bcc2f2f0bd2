import { collect, meanDamages, parseMetadata, readDamage } from "@mbs/artifacts";
import type { DamageRecord, MeasuredDamage } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** Another compression of the model, of which damage and losses are known: what losses are predicted from. */
export class MeasuredModel {
  readonly about: MeasuredDamage;
  /** Tensor → the statistic that its damage is from. */
  readonly #moments: ReadonlyMap<string, DamageRecord["moment"]>;
  readonly #seen = new Set<string>();

  constructor(about: MeasuredDamage, records: readonly DamageRecord[]) {
    this.about = about;
    this.#moments = new Map(records.map(({ tensor, moment }) => [tensor, moment]));
  }

  /** @throws {BadDataError} where the measured model has no such damage: of another tensor, or from the other statistic */
  requireAlike({ tensor, moment }: DamageRecord): void {
    const own = this.#moments.get(tensor);
    this.#seen.add(tensor);
    if (own === moment) return;
    const what =
      own === undefined
        ? `the measured damage has no tensor ${tensor}, which these layers change`
        : `the measured damage of ${tensor} is from its ${own}, these statistics have its ${moment}`;
    throw new BadDataError(`${what}; predict both from layers of the same tensors and the same statistics`, { tensor });
  }

  /** @throws {BadDataError} where it has tensors that were not asked for */
  requireAll(): void {
    const missing = [...this.#moments.keys()].find((tensor) => !this.#seen.has(tensor));
    if (missing === undefined) return;
    throw new BadDataError(
      `the measured damage has tensor ${missing}, which these layers do not change; predict both from layers of the same tensors`,
      { tensor: missing },
    );
  }
}

/**
 * Reads what another compression of the model did to each language, and what that lost.
 *
 * @throws {BadDataError} where it is of another dense model
 * @throws {UsageError} where it was not scored
 */
export async function readMeasured(stream: ArtifactStream, { address, path }: Model): Promise<MeasuredModel> {
  const { model, solver, scored, lossRises, lossIntervals = {} } = parseMetadata("damage", stream.schema);
  if (model !== address) {
    throw new BadDataError(
      `--measured is of another dense model than ${path} (scored: ${scored || "none"}); give the damage of a compression of this one`,
      { expected: address, found: model },
    );
  }
  if (lossRises === undefined) {
    throw new UsageError(
      "predict: --measured does not know what its model lost; make it by mbs predict --scores, with scores of that model",
      { option: "--measured" },
    );
  }
  const records = await collect(readDamage(stream));
  const damages = Object.fromEntries(meanDamages(records));
  const about = { model: scored, solver, damages, losses: lossRises, intervals: lossIntervals };
  return new MeasuredModel(about, records);
}
