import { BadDataError, groupBy, type ArtifactStream } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import type { DamageMetadata } from "../kinds/metadata.ts";
import type { DamageRecord } from "../kinds/records.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

async function* toRecords(rows: AsyncIterable<Row<"damage">>): AsyncGenerator<DamageRecord> {
  for await (const row of rows) {
    const { moment, tensor } = row;
    if (moment !== "gram" && moment !== "diagonal") {
      throw new BadDataError(
        `damage of ${tensor}: moment ${JSON.stringify(moment)} is neither gram nor diagonal; predict again`,
        {
          tensor,
        },
      );
    }
    yield { ...row, moment };
  }
}

/** Damage of each tensor and language → artifact, a row each. */
export const encodeDamage = (items: Items<DamageRecord>, metadata: DamageMetadata): ArtifactStream =>
  encodeRows("damage", metadata, items);

/** How far `damage` may be from the quotient, as a share of the quotient. */
const rounding = 1e-6;

function quotientFault({ error, output, damage }: Row<"damage">): string | undefined {
  const quotient = output > 0 ? error / output : 0;
  if (Math.abs(damage - quotient) <= rounding * quotient) return undefined;
  return `damage is ${damage}, where error ${error} and output ${output} make ${quotient}`;
}

/**
 * The damage of an artifact, in order.
 *
 * @throws {BadDataError} on an unknown moment, a negative number, or a damage that is not error / output
 */
export const readDamage = (stream: ArtifactStream): AsyncIterable<DamageRecord> =>
  toRecords(
    checkedRows(readRows("damage", stream), {
      least: { error: 0, output: 0, damage: 0 },
      fault: quotientFault,
      name: ({ tensor, language }) => `damage: ${language} in ${tensor}`,
      remedy: "predict again",
    }),
  );

/** Language → the damage of the model: the mean over its tensors. */
export const meanDamages = (records: readonly DamageRecord[]): ReadonlyMap<string, number> =>
  new Map(
    [...groupBy(records, ({ language }) => language)].map(([language, own]) => [language, mean(own.map(({ damage }) => damage))]),
  );
