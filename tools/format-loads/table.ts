import { at } from "@mbs/contracts";

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

const ruled = (heads: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  row(heads),
  row(heads.map(() => "---")),
  ...rows.map(row),
];

/** Numbers of outcomes: differences of folders that were loaded. */
const differencesOf = (loads: readonly Load[]): number[] =>
  loads.map(({ outcome }) => outcome).filter((outcome) => typeof outcome === "number");

const columnOf = ({ format, reader }: Load): string => `${format}: ${reader}`;

const wasTried = ({ reader }: Load): boolean => reader !== "refused";

/** A row for each format and program: cases and types that load, and the largest difference. */
function programs(loads: readonly Load[]): string[] {
  const tried = loads.filter(wasTried);
  const rows = unique(tried.map(columnOf))
    .sort()
    .map((column) => {
      const loaded = tried.filter((load) => columnOf(load) === column && typeof load.outcome === "number");
      const types = unique(loaded.map(({ type }) => type));
      return [column, `${types.length}`, `${loaded.length}`, Math.max(...differencesOf(loaded)).toExponential(0)];
    });
  return ruled(["format: program", "types", "cases", "largest difference"], rows);
}

/** The largest difference of all cases that were written and loaded, a row for each model type. */
function differences(loads: readonly Load[]): string[] {
  const tried = loads.filter(wasTried);
  const columns = unique(tried.map(columnOf)).sort();
  const cell = (type: string, column: string): string => {
    const numbers = differencesOf(tried.filter((load) => load.type === type && columnOf(load) === column));
    return numbers.length === 0 ? "–" : `${Math.max(...numbers).toExponential(0)} (${numbers.length})`;
  };
  const types = unique(loads.map(({ type }) => type));
  return ruled(
    ["type", ...columns],
    types.map((type) => [`\`${type}\``, ...columns.map((column) => cell(type, column))]),
  );
}

/** A message without its remedy and without what differs between models and formats. */
const reason = (message: string): string =>
  message
    .replace(/^(?:layer|folders)\S+ |^models\/\S+ (?:is )?|^models\/\S+: |^layer \S+ /, "")
    .replace(/^an encoder-decoder \(\w+\)/, "an encoder-decoder")
    .replace(/^has \S+(?: and \S+)* beside/, "has other parts beside")
    .replaceAll(/--format [\w-]+/g, "the format")
    .replace(/ of model type \w+, which has/, " of a model that has")
    .replace(/^the tensors do not fit config.json.*/, "the tensors do not fit config.json")
    .replace(/(?:; (?:take|assemble|compress)|, thus raising an error| in checkpoint ').*/, "")
    .replaceAll("|", "\\|");

interface Exception {
  readonly formats: readonly string[];
  readonly what: string;
  readonly said: string;
  readonly types: readonly string[];
  readonly kinds: readonly string[];
}

const failureOf = ({ reader, outcome }: Load): { what: string; said: string } => ({
  what: reader === "refused" ? "refused" : `${reader} fails`,
  said: typeof outcome === "number" ? "**wrong**" : reason(outcome),
});

/** Values by a key, in the order in which keys appear. */
function groupBy<Value>(values: readonly Value[], keyOf: (value: Value) => string): Value[][] {
  const groups = new Map<string, Value[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return [...groups.values()];
}

/** What was refused, or did not load, or loaded wrong, with types and kinds of cases; the same of several formats once. */
function listExceptions(loads: readonly Load[]): Exception[] {
  const failures = loads
    .filter(({ outcome }) => typeof outcome !== "number" || outcome > tolerance)
    .map((load) => ({ ...load, ...failureOf(load) }));
  const ofFormats = groupBy(failures, ({ format, what, said }) => JSON.stringify([format, what, said])).map((group) => ({
    ...at(group, 0),
    types: unique(group.map(({ type }) => type)),
    kinds: unique(group.map(({ kind }) => kind)).sort(),
  }));
  return groupBy(ofFormats, ({ what, said, types, kinds }) => JSON.stringify([what, said, types, kinds])).map((group) => ({
    ...at(group, 0),
    formats: group.map(({ format }) => format),
  }));
}

/** Names, or those that are left out where these are fewer. */
function namesOf(names: readonly string[], all: readonly string[]): string {
  const others = all.filter((name) => !names.includes(name));
  if (others.length === 0) return "all";
  return others.length < names.length ? `all but ${others.join("; ")}` : names.join("; ");
}

function exceptions(loads: readonly Load[]): string[] {
  const allTypes = unique(loads.map(({ type }) => type));
  const rows = listExceptions(loads).map(({ formats, what, said, types, kinds }) => {
    const allKinds = unique(loads.filter(({ type }) => types.includes(type)).map(({ kind }) => kind));
    return [formats.join(", "), what, namesOf(kinds, allKinds), namesOf(types, allTypes), said];
  });
  return ruled(["format", "what", "cases", "types", "why"], rows);
}

const readBy = ({ libraries }: LoadResults): string =>
  Object.entries(libraries)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");

/** The section of docs/model-formats.md that says which programs load which formats, and what does not load. */
export function loadTable(results: LoadResults): string {
  const loads = listLoads(results);
  return [
    `Read by ${readBy(results)}, and by \`mbs\`. Differences are those of logits to the dense folder's, as shares of their standard deviation.`,
    "",
    ...programs(loads),
    "",
    "Refused before anything is written, or not loaded by a program:",
    "",
    ...exceptions(loads),
  ].join("\n");
}

/** The section of README.md: how every format of every model type loads. */
export const typesTable = (results: LoadResults): string =>
  [
    "Each cell: the largest difference of logits to those of the dense folder, as a share of their standard deviation, and in how many cases it loads.",
    "",
    ...differences(listLoads(results)),
  ].join("\n");

const [start, end] = ["<!-- made by tools/format-loads -->", "<!-- end -->"];

/** A page with its table renewed. @throws where the page has no place for it */
export function renewTable(page: string, table: string): string {
  const [before, rest = ""] = page.split(`${start}\n`);
  const after = rest.split(end)[1];
  if (before === undefined || after === undefined) throw new Error("the page has no place for the table");
  return `${before}${start}\n\n${table}\n\n${end}${after}`;
}
