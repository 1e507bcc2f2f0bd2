import { BadDataError } from "@mbs/contracts";
import { lowerFirst, strip } from "../python/text.ts";
import type { PythonValue, Row } from "../python/values.ts";
import { columnOf, textColumn } from "./columns.ts";
import type { HelperFile } from "./helper-file.ts";

/** Joins what a tokenizer of words has split: contractions, brackets, quotes and punctuation. */
const detokenise = (text: string): string =>
  text
    .replaceAll(" n't", "n't")
    .replaceAll(" )", ")")
    .replaceAll("( ", "(")
    .replaceAll('" ', '"')
    .replaceAll(' "', '"')
    .replace(/ (['.,])/g, "$1");

const isEmpty = (value: PythonValue): boolean => value === null || value === "";

/** The two sentences as one question: the first without its last mark, the second in lower case. */
function prepare(row: Row): Row {
  const first = strip(detokenise(textColumn(row, "sentence1"))).replace(/[.,;]$/, "");
  const second = lowerFirst(strip(detokenise(textColumn(row, "sentence2"))));
  if (second === undefined) throw new BadDataError("the column sentence2 has white space alone");
  return new Map<string, PythonValue>([...row, ["sentence1", first], ["sentence2", second]]);
}

export const pawsHelpers: HelperFile = {
  path: /(?:^|\/)paws-x\/utils$/,
  digest: "9a41d04f937b941f8fe68aa2853c293c0d324d3419dd81bf7dcebe8df24e482c",
  rows: (name) =>
    name === "process_docs_paraphrases"
      ? (rows) => rows.filter((row) => !isEmpty(columnOf(row, "sentence1")) && !isEmpty(columnOf(row, "sentence2"))).map(prepare)
      : undefined,
};
