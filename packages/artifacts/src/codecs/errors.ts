import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import type { ErrorsMetadata } from "../metadata.ts";
import type { LanguageError } from "../records.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows.ts";
import { soundRows } from "./sound-rows.ts";

async function* toRecords(rows: AsyncIterable<Row<"errors">>): AsyncGenerator<LanguageError> {
  for await (const row of rows) {
    const { moment, tensor } = row;
    if (moment !== "gram" && moment !== "diagonal") {
      throw new BadDataError(`error of ${tensor}: moment ${JSON.stringify(moment)} is neither gram nor diagonal; predict again`, {
        tensor,
      });
    }
    yield { ...row, moment };
  }
}

/** Errors of languages → artifact, a row each. */
export const encodeErrors = (items: Items<LanguageError>, metadata: ErrorsMetadata): ArtifactStream =>
  encodeRows("errors", metadata, items);

/** What a quotient may differ from `relative` by, as a share of it. */
const rounding = 1e-6;

function quotientFault({ error, output, relative }: Row<"errors">): string | undefined {
  const quotient = output > 0 ? error / output : 0;
  if (Math.abs(relative - quotient) <= rounding * quotient) return undefined;
  return `relative is ${relative}, where error ${error} and output ${output} make ${quotient}`;
}

/**
 * The errors of an artifact, in order.
 *
 * @throws {BadDataError} on an unknown moment, or an error that cannot be
 */
export const readErrors = (stream: ArtifactStream): AsyncIterable<LanguageError> =>
  toRecords(
    soundRows(readRows("errors", stream), {
      least: { error: 0, output: 0, relative: 0 },
      fault: quotientFault,
      name: ({ tensor, language }) => `errors: ${language} in ${tensor}`,
      remedy: "predict again",
    }),
  );
