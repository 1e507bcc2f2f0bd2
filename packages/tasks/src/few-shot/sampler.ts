import { BadDataError } from "@mbs/contracts";
import { PythonRandom } from "../python/random.ts";
import { areRowsEqual, type Row } from "../python/values.ts";

/** Chooses the examples of one document after the other. */
export type Sampler = (count: number, document: Row | undefined) => readonly Row[];

/**
 * Draws examples as lm-evaluation-harness does: one generator for all documents of a task, in their order.
 *
 * `document` is the one that is asked about, where it may be among the examples: then one more is drawn, and it is left out.
 */
export function createRandomSampler(examples: readonly Row[], seed: number): Sampler {
  const random = new PythonRandom(seed);
  return (count, document) => {
    if (count === 0) return [];
    if (document === undefined) return random.sample(examples, count);
    const others = random.sample(examples, count + 1).filter((example) => !areRowsEqual(example, document));
    if (others.length >= count) return others.slice(0, count);
    // The document is there more than once.
    return random.sample(
      examples.filter((example) => !areRowsEqual(example, document)),
      count,
    );
  };
}

/** The first examples, in their order. */
export function createFirstSampler(examples: readonly Row[]): Sampler {
  return (count, document) => {
    const chosen: Row[] = [];
    for (const example of examples) {
      if (chosen.length === count) break;
      if (document === undefined || !areRowsEqual(example, document)) chosen.push(example);
    }
    if (chosen.length < count) throw new BadDataError(`${count} examples are wanted of ${examples.length} rows; ask for fewer`);
    return chosen;
  };
}
