import { join } from "node:path";
import { writeAtomically } from "@mbs/artifacts";
import { cardFile } from "@mbs/models";
import { modelCard } from "./model-card.ts";
import type { CardFacts } from "./model-card.ts";
import { readRecord } from "./model-record.ts";
import { readWeightFiles } from "./size-report.ts";

/**
 * Writes the card of a folder that assemble has written anew, with what was not known then.
 *
 * @param folder its mbs.json says the rest
 * @throws {BadDataError} where the folder has no mbs.json
 */
export async function describeModel(folder: string, known: Omit<CardFacts, "record" | "weights">): Promise<void> {
  const card = modelCard({ record: await readRecord(folder), weights: await readWeightFiles(folder), ...known });
  await writeAtomically(join(folder, cardFile), [Buffer.from(card)], { force: true });
}
