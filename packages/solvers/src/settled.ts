/**
 * Waits for work of a stranger's module.
 *
 * Where nothing is left that could settle it, Node would end the process as if all were done; this rejects instead.
 *
 * @param unsettled makes the error to reject with
 */
export async function settled<T>(work: Promise<T> | T, unsettled: () => Error): Promise<T> {
  let ranDry = (): void => {};
  const never = new Promise<never>((_, reject) => {
    ranDry = () => reject(unsettled());
  });
  process.once("beforeExit", ranDry);
  try {
    return await Promise.race([work, never]);
  } finally {
    process.removeListener("beforeExit", ranDry);
  }
}
