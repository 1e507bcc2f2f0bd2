/** What is used of it: it comes without types. */
declare module "fs-native-extensions" {
  /** @returns false where another open file holds the lock */
  export function tryLock(descriptor: number): boolean;
}
