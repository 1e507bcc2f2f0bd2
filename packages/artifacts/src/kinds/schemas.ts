import { BadDataError, FailedPreconditionError, type ArtifactStream, type Field, type Schema } from "@mbs/contracts";

const fields = <const T extends readonly Field[]>(...list: T): T => list;

/**
 * The columns of every artifact kind at its current version; docs/artifacts.md says what they mean. Those with a block, and
 * states, which count blocks, called it a step one version ago.
 */
export const artifactKinds = {
  // Version 1 had no targets.
  segments: {
    version: 2,
    fields: fields(
      { name: "segment", type: "int32" },
      { name: "language", type: "utf8" },
      { name: "documents", type: "int32" },
      { name: "tokens", type: "list<int32>" },
      { name: "target", type: "list<int32>" },
    ),
  },
  statistics: {
    version: 2,
    fields: fields(
      { name: "block", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "kind", type: "utf8" },
      { name: "tokens", type: "int64" },
      { name: "width", type: "int32" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "values", type: "list<float32>" },
    ),
  },
  states: {
    version: 2,
    fields: fields(
      { name: "segment", type: "int32" },
      { name: "language", type: "utf8" },
      { name: "stream", type: "utf8" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "width", type: "int32" },
      { name: "values", type: "list<float32>" },
    ),
  },
  "last-states": {
    version: 1,
    fields: fields(
      { name: "language", type: "utf8" },
      { name: "source", type: "utf8" },
      { name: "window", type: "int32" },
      { name: "tokens", type: "utf8" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "width", type: "int32" },
      { name: "values", type: "list<float32>" },
    ),
  },
  factors: {
    version: 3,
    fields: fields(
      { name: "block", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "part", type: "utf8" },
      { name: "width", type: "int32" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "values", type: "list<float32>" },
      { name: "info", type: "utf8" },
    ),
  },
  allocation: {
    version: 5,
    fields: fields(
      { name: "block", type: "utf8" },
      { name: "parameters", type: "int64" },
      { name: "importance", type: "float64" },
      { name: "sparsity", type: "float64" },
      { name: "tensor", type: "utf8" },
      { name: "bits", type: "int32" },
      { name: "groupSize", type: "int32" },
      { name: "zeroPoints", type: "utf8" },
      { name: "type", type: "utf8" },
    ),
  },
  // Version 3 had the values of blocks beside them.
  layers: {
    version: 4,
    fields: fields(
      { name: "block", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "tensor", type: "utf8" },
      { name: "part", type: "utf8" },
      { name: "dtype", type: "utf8" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "columns", type: "int32" },
      { name: "data", type: "binary" },
      { name: "info", type: "utf8" },
    ),
  },
  // Version 1 had neither kl nor agreed.
  scores: {
    version: 3,
    fields: fields(
      { name: "model", type: "utf8" },
      { name: "address", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "source", type: "utf8" },
      { name: "window", type: "int32" },
      { name: "nll", type: "float64" },
      { name: "tokens", type: "int32" },
      { name: "bytes", type: "int32" },
      { name: "kl", type: "list<float32>" },
      { name: "agreed", type: "int32" },
      { name: "task", type: "utf8" },
      { name: "choice", type: "int32" },
      { name: "characters", type: "int32" },
      { name: "right", type: "int32" },
      { name: "unconditional", type: "float64" },
      { name: "cut", type: "int32" },
      { name: "answer", type: "utf8" },
    ),
  },
  similarity: {
    version: 2,
    fields: fields(
      { name: "block", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "measure", type: "utf8" },
      { name: "first", type: "utf8" },
      { name: "second", type: "utf8" },
      { name: "value", type: "float64" },
    ),
  },
  damage: {
    version: 3,
    fields: fields(
      { name: "block", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "tensor", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "moment", type: "utf8" },
      { name: "error", type: "float64" },
      { name: "output", type: "float64" },
      { name: "damage", type: "float64" },
    ),
  },
  mixes: {
    version: 3,
    fields: fields(
      { name: "mix", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "weight", type: "float64" },
      { name: "loss", type: "float64" },
      { name: "low", type: "float64" },
      { name: "high", type: "float64" },
    ),
  },
  files: {
    version: 1,
    fields: fields({ name: "path", type: "utf8" }, { name: "offset", type: "int64" }, { name: "data", type: "binary" }),
  },
} as const;

export type ArtifactKind = keyof typeof artifactKinds;

const isKnown = (kind: string): kind is ArtifactKind => Object.hasOwn(artifactKinds, kind);

const describe = (schema: Pick<Schema, "fields">): string => schema.fields.map(({ name, type }) => `${name} ${type}`).join(", ");

/**
 * Refuses a version of a known kind that this program does not read.
 *
 * @throws {FailedPreconditionError} with the version found, the one supported and what to do
 */
export function requireVersion(kind: string, version: number): void {
  if (!isKnown(kind) || version === artifactKinds[kind].version) return;
  const supported = artifactKinds[kind].version;
  const remedy = version > supported ? "update this program" : "write the artifact again with this program";
  throw new FailedPreconditionError(`${kind} artifact has version ${version}, version ${supported} is supported: ${remedy}`, {
    kind,
    found: version,
    supported,
  });
}

/**
 * The kind of a stream, once it is known to be one of those wanted, of the supported version and with its columns.
 *
 * @throws {BadDataError} on another kind or on columns that are not those of the kind
 * @throws {FailedPreconditionError} on an unknown version
 */
export function requireKind<const K extends ArtifactKind>(stream: Pick<ArtifactStream, "schema">, kinds: readonly K[]): K {
  const { schema } = stream;
  const kind = kinds.find((wanted) => wanted === schema.kind);
  if (kind === undefined) {
    const wanted = kinds.join(" or ");
    throw new BadDataError(
      `expected an artifact of kind ${wanted}, found ${JSON.stringify(schema.kind)}; check the order of the pipe`,
      {
        expected: wanted,
        found: schema.kind,
      },
    );
  }
  requireVersion(kind, schema.version);
  const expected = describe(artifactKinds[kind]);
  const found = describe(schema);
  if (expected !== found) {
    throw new BadDataError(`${kind} artifact has the columns [${found}], expected [${expected}]; write it again`, { kind });
  }
  return kind;
}

/**
 * Refuses a schema of one of our kinds whose columns are others; a kind that is not ours may have any.
 *
 * @throws as requireKind
 */
export function requireKnownColumns(schema: Schema): void {
  if (isKnown(schema.kind)) requireKind({ schema }, [schema.kind]);
}
