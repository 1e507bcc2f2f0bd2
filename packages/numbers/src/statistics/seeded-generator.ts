import { createHash } from "node:crypto";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A random generator of its own for each purpose that the names tell, so that no draw changes another's. */
export function seededGenerator(seed: number, ...names: readonly (string | number)[]): ReturnType<typeof xoroshiro128plus> {
  return xoroshiro128plus(
    createHash("sha256")
      .update(JSON.stringify([seed, ...names]))
      .digest()
      .readInt32LE(0),
  );
}
