/**
 * Waits for work of a stranger's module.
 *
 * Where nothing is left that could settle it, Node would end the process as if all were done; this rejects instead.
 *
 * @param unsettled makes the error to reject with
 */
export function settled<T>(work: Promise<T> | T, unsettled: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const ranDry = (): void => reject(unsettled());
    process.once("beforeExit", ranDry);
    Promise.resolve(work)
      .finally(() => process.removeListener("beforeExit", ranDry))
      .then(resolve, reject);
  });
}
