import { collect, parseMetadata, readMixes } from "@mbs/artifacts";
import { at, parseLanguageMix } from "@mbs/contracts";
import type { Method } from "./methods.ts";
import type { Pool } from "./pool.ts";
import type { Subject } from "./subject.ts";
import type { Weights } from "./trial.ts";

/** Exponent of the temperature mix, as XLM-R and mT5 sample. */
export const temperature = 0.3;

export const onlyMix = (language: string): Weights => new Map([[language, 1]]);

/** A named mix that depends on the training shares alone. */
export function fixedMixes({ shares }: Subject): ReadonlyMap<string, Weights> {
  const first = at([...shares.keys()], 0);
  return new Map([
    [`${first} only`, onlyMix(first)],
    ["equal", new Map([...shares.keys()].map((language) => [language, 1]))],
    ["proportional", shares],
    [`temperature ${temperature}`, new Map([...shares].map(([language, share]) => [language, share ** temperature]))],
  ]);
}

const searchRounds = 4;

/** The weights that `mbs mix` recommends for the worst language of a pool, searched once. */
export async function minimaxMix({ subject, statistics }: Pool, method: Method): Promise<Weights> {
  const { lab } = subject;
  const options = { ...method.factor, ...method.compress, strategy: "minimax", rounds: searchRounds };
  const work = { name: "mix", settings: options, inputs: { statistics: [statistics] } };
  const { mixes } = await lab.once(work, async () => ({
    mixes: await lab.run("mix", { ...options, model: subject.folder }, { statistics: [statistics] }),
  }));
  const stream = await lab.open(mixes);
  const { recommended } = parseMetadata("mixes", stream.schema);
  const rows = (await collect(readMixes(stream))).filter(({ mix }) => mix === recommended);
  return parseLanguageMix(rows.map(({ language, weight }) => `${language}=${weight}`).join(","));
}
