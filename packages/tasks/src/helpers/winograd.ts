import { BadDataError } from "@mbs/contracts";
import { repr } from "../python/print.ts";
import { strip } from "../python/text.ts";
import type { Row } from "../python/values.ts";
import { columnOf, textColumn } from "./columns.ts";
import type { HelperFile, RowFunction } from "./helper-file.ts";

/** What is before and after the gap of a sentence. */
function gap(row: Row): [string, string] {
  const sentence = textColumn(row, "sentence");
  const index = sentence.indexOf("_");
  if (index < 0) throw new BadDataError(`the column sentence has no gap (_): ${repr(sentence)}`);
  return [sentence.slice(0, index), sentence.slice(index + 1)];
}

function answer(row: Row): number {
  const value = columnOf(row, "answer");
  if (value !== "1" && value !== "2") throw new BadDataError(`the column answer has to be "1" or "2", and is ${repr(value)}`);
  return value === "1" ? 0 : 1;
}

const functions: ReadonlyMap<string, RowFunction> = new Map<string, RowFunction>([
  ["doc_to_text", answer],
  ["doc_to_target", (row) => strip(gap(row)[1])],
  ["doc_to_choice", (row) => ["option1", "option2"].map((option) => gap(row)[0] + textColumn(row, option))],
]);

/** WinoGrande and XWinograd: each choice fills the gap, and the rest of the sentence is scored. */
export const winogradHelpers: readonly HelperFile[] = [
  {
    path: /(?:^|\/)winogrande\/preprocess_winogrande$/,
    digest: "e55327629264a98f1d383fda24645b6779afb53fa0bce2150042b9416b1ae006",
    row: (name) => functions.get(name),
  },
  {
    path: /(?:^|\/)xwinograd\/utils$/,
    digest: "ec32f0bfecb45d80220279522ac046ef2ac3f7890444798b56ac29348b27355d",
    row: (name) => functions.get(name),
  },
];
