import { FailedPreconditionError } from "./errors.ts";

/** A package that only some commands need: it is an optional peer, which an install leaves out. */
export interface OptionalPackage {
  readonly name: string;
  /** The version that is tested, that of `peerDependencies` in package.json. */
  readonly version: string;
  /** What needs it, for the message: "a queue". */
  readonly neededBy: string;
}

const isMissing = (error: unknown, name: string): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND" && error.message.includes(`'${name}'`);

/**
 * Imports an optional package.
 *
 * @param load imports it: a literal name there tells bundlers and TypeScript what it is
 * @param others packages that are installed along with it
 * @throws {FailedPreconditionError} where it is not installed, with the line that installs it
 */
export async function importOptional<Module>(
  load: () => Promise<Module>,
  { name, neededBy }: OptionalPackage,
  others: readonly OptionalPackage[],
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    if (!isMissing(cause, name)) throw cause;
    const all = others.map((other) => `${other.name}@${other.version}`).join(" ");
    throw new FailedPreconditionError(
      `${neededBy} needs ${name}, which is not installed; install it beside mbs: npm install ${all} (with -g if mbs is global)`,
      { package: name },
      { cause },
    );
  }
}
