import { createHash } from "node:crypto";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A random generator for one purpose, seeded by its names too, so that no draw affects those for another purpose. */
export function seededGenerator(seed: number, ...names: readonly (string | number)[]): ReturnType<typeof xoroshiro128plus> {
  return xoroshiro128plus(
    createHash("sha256")
      .update(JSON.stringify([seed, ...names]))
      .digest()
      .readInt32LE(0),
  );
}
