import * as assert from "uvu/assert";

/** Asserts that work fails by an error of a type, with a message that a pattern finds. @param work under way, or to be started */
export async function rejects(
  work: Promise<unknown> | (() => Promise<unknown>),
  type: new (message: string) => Error,
  pattern: RegExp,
): Promise<void> {
  const error = await (typeof work === "function" ? work() : work).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.instance(error, type);
  assert.match((error as Error).message, pattern);
}
