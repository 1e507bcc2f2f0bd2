import { BadDataError, FailedPreconditionError, type ArtifactStream, type Schema } from "@mbs/contracts";
import { artifactKinds, type ArtifactKind } from "./schemas.ts";

const isKnown = (kind: string): kind is ArtifactKind => Object.hasOwn(artifactKinds, kind);

/** Kinds that have another name now: old name → the new one, and how an artifact of it is made. */
const renamedKinds: ReadonlyMap<string, { readonly name: ArtifactKind; readonly remedy: string }> = new Map([
  ["errors", { name: "damage", remedy: "make it anew with `mbs predict`" }],
]);

const describe = (schema: Pick<Schema, "fields">): string => schema.fields.map(({ name, type }) => `${name} ${type}`).join(", ");

/**
 * Refuses a kind under its former name, and a version of a known kind that this program does not read.
 *
 * @throws {BadDataError} with the new name and what to do
 * @throws {FailedPreconditionError} with the version found, the one supported and what to do
 */
export function requireVersion(kind: string, version: number): void {
  const renamed = renamedKinds.get(kind);
  if (renamed) {
    throw new BadDataError(`artifacts of kind ${kind} are of kind ${renamed.name} now: ${renamed.remedy}`, {
      expected: renamed.name,
      found: kind,
    });
  }
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
