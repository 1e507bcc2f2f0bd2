/** How a reader came out: the largest difference of logits as a share of their standard deviation, or what it said. */
type Outcome = number | string;

export interface LoadResults {
  readonly libraries: Readonly<Record<string, string>>;
  /** Model type → case → format → reader → outcome; "refused" in place of a reader where we did not write the folder. */
  readonly types: Readonly<
    Record<
      string,
      Readonly<
        Record<string, { readonly kind: string; readonly formats: Readonly<Record<string, Readonly<Record<string, Outcome>>>> }>
      >
    >
  >;
}

/** Half precision of norms and embeddings, which gptqmodel loads, makes less than this; a wrong weight makes more. */
export const tolerance = 0.01;

export interface Load {
  readonly type: string;
  readonly kind: string;
  readonly format: string;
  readonly reader: string;
  readonly outcome: Outcome;
}

/** All loads, one after the other. */
export const listLoads = ({ types }: LoadResults): readonly Load[] =>
  Object.entries(types).flatMap(([type, cases]) =>
    Object.values(cases).flatMap(({ kind, formats }) =>
      Object.entries(formats).flatMap(([format, readers]) =>
        Object.entries(readers).map(([reader, outcome]) => ({ type, kind, format, reader, outcome })),
      ),
    ),
  );

const unique = <Value>(values: Iterable<Value>): Value[] => [...new Set(values)];

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** The largest difference of all cases that were written and loaded, a row for each model type. */
function differences(loads: readonly Load[]): string[] {
  const read = loads.filter(({ reader }) => reader !== "refused");
  const columns = unique(read.map(({ format, reader }) => `${format}: ${reader}`)).sort();
  const cell = (type: string, column: string): string => {
    const own = read.filter((load) => load.type === type && `${load.format}: ${load.reader}` === column);
    const numbers = own.map(({ outcome }) => outcome).filter((outcome) => typeof outcome === "number");
    return numbers.length === 0 ? "–" : `${Math.max(...numbers).toExponential(0)} (${numbers.length})`;
  };
  const types = unique(loads.map(({ type }) => type));
  return [
    row(["type", ...columns]),
    row(["---", ...columns.map(() => "---")]),
    ...types.map((type) => row([`\`${type}\``, ...columns.map((column) => cell(type, column))])),
  ];
}

/** A message without what differs from model to model. */
const reason = (message: string): string =>
  message
    .replace(/^layer \S+: /, "")
    .replace(/^models\/\w+ is an encoder-decoder \(\w+\), which/, "an encoder-decoder, which")
    .replace(/^folders\S+ the tensors do not fit config.json.*/, "the tensors do not fit config.json")
    .replace(/ in checkpoint '.*/, "")
    .replace(/index -?\d+ is out of bounds.*/, "index out of bounds")
    .replaceAll("|", "\\|");

/** What was refused, or did not load, or loaded wrong, with the types of which this is so. */
function exceptions(loads: readonly Load[]): string[] {
  const rows = new Map<string, { kinds: Set<string>; types: Set<string> }>();
  for (const { type, kind, format, reader, outcome } of loads) {
    if (typeof outcome === "number" && outcome <= tolerance) continue;
    const said = typeof outcome === "number" ? "**wrong**" : reason(outcome);
    const key = [format, reader === "refused" ? "refused" : `${reader} fails`, said].join("\n");
    const known = rows.get(key) ?? { kinds: new Set(), types: new Set() };
    rows.set(key, known);
    known.kinds.add(kind);
    known.types.add(type);
  }
  const all = unique(loads.map(({ type }) => type)).length;
  return [
    row(["format", "what", "cases", "types", "why"]),
    row(["---", "---", "---", "---", "---"]),
    ...[...rows].map(([key, { kinds, types }]) => {
      const [format = "", what = "", said = ""] = key.split("\n");
      return row([format, what, [...kinds].join("; "), types.size === all ? "all" : [...types].join(", "), said]);
    }),
  ];
}

/** The section of docs/model-formats.md that says how every format of every model type loads. */
export function loadTable(results: LoadResults): string {
  const loads = listLoads(results);
  const versions = Object.entries(results.libraries).map(([name, version]) => `${name} ${version}`);
  return [
    `Read by ${versions.join(", ")}, and by \`mbs\` itself. Each cell: the largest difference of logits to those of the dense folder, as a share of their standard deviation, and in how many cases it loads.`,
    "",
    ...differences(loads),
    "",
    "Refused by us before anything is written, or not loaded by a program:",
    "",
    ...exceptions(loads),
  ].join("\n");
}

const [start, end] = ["<!-- made by tools/format-loads -->", "<!-- end -->"];

/** A page with the section renewed. @throws where the page has no place for it */
export function renewTable(page: string, results: LoadResults): string {
  const [before, rest = ""] = page.split(`${start}\n`);
  const after = rest.split(end)[1];
  if (before === undefined || after === undefined) throw new Error("the page has no place for the table");
  return `${before}${start}\n\n${loadTable(results)}\n\n${end}${after}`;
}
