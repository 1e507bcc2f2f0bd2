import { BadDataError } from "@mbs/contracts";
import { parseLiteral } from "../python/literal.ts";
import { characters, lowerFirst, strip } from "../python/text.ts";
import { areEqual, type Row } from "../python/values.ts";
import { columnOf, textColumn } from "./columns.ts";
import type { HelperFile, RowFunction } from "./helper-file.ts";

function choice(row: Row, column: string): string {
  const lowered = lowerFirst(textColumn(row, column));
  if (lowered === undefined) throw new BadDataError(`the column ${column} is empty`);
  return lowered;
}

/** The premise without its full stop, and the word that joins it to a cause or an effect. */
const premise =
  (connectors: ReadonlyMap<unknown, unknown>): RowFunction =>
  (row) => {
    const question = textColumn(row, "question");
    const connector = connectors.get(question);
    if (typeof connector !== "string") throw new BadDataError(`the column question is ${question}; it has to be cause or effect`);
    return `${characters(strip(textColumn(row, "premise")))
      .slice(0, -1)
      .join("")} ${connector}`;
  };

/** The connectors of a language, from the lines `doc_to_text_LANG = partial(doc_to_text, connector={…})` of the user's file. */
function connectorsOf(name: string, source: string): ReadonlyMap<unknown, unknown> | undefined {
  if (!/^doc_to_text_\w+$/.test(name)) return undefined;
  const found = new RegExp(`^${name} = partial\\(\\s*doc_to_text,\\s*connector=(\\{[^{}]*\\}),?\\s*\\)`, "m").exec(source)?.[1];
  const connectors = found === undefined ? undefined : parseLiteral(found);
  return connectors instanceof Map ? connectors : undefined;
}

const english = new Map([
  ["cause", "because"],
  ["effect", "therefore"],
]);

/** COPA of SuperGLUE, and XCOPA. */
export const copaHelpers: readonly HelperFile[] = [
  {
    path: /(?:^|\/)super_glue\/copa\/utils$/,
    digest: "0be98a907db647a518c42c916a61385b64f394cf9d0171b5cb86b7a036282de7",
    row: (name) => {
      if (name === "doc_to_text") return premise(english);
      if (name === "doc_to_choice") return (row) => [` ${choice(row, "choice1")}`, ` ${choice(row, "choice2")}`];
      if (name === "doc_to_target")
        return (row) => ` ${choice(row, areEqual(columnOf(row, "label"), 0) ? "choice1" : "choice2")}`;
      return undefined;
    },
  },
  {
    path: /(?:^|\/)xcopa\/utils$/,
    digest: "191d31bbbfc66be7b66cbc410053e13631201a3700df749f23c653fb7834dd43",
    row: (name, source) => {
      if (name === "doc_to_choice") return (row) => [choice(row, "choice1"), choice(row, "choice2")];
      const connectors = connectorsOf(name, source);
      return connectors === undefined ? undefined : premise(connectors);
    },
  },
];
