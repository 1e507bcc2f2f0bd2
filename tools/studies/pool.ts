import type { Subject } from "./subject.ts";

export const segmentLength = 256;

/** How a pool of calibration text is drawn. */
export interface PoolSettings {
  readonly mix: string;
  readonly segments: number;
  readonly seed: number;
  /** Least segments of a language; 1 where absent. */
  readonly floor?: number;
}

/** Statistics of every language from one dense capture, by which any mix can be tried. */
export interface Pool {
  readonly subject: Subject;
  readonly settings: PoolSettings;
  /** Address of the statistics. */
  readonly statistics: string;
}

/** Segments of each language in the pool that most studies weigh in different ways: as many as the rarest language has text for. */
const segmentsEach = 32;

/** Draws a pool and captures its statistics, once. */
export async function capturePool(subject: Subject, settings: PoolSettings): Promise<Pool> {
  const { lab, address, calibrationAddress, folder, calibration } = subject;
  const work = {
    name: "pool",
    settings: { ...settings, length: segmentLength, model: address, corpus: calibrationAddress },
    inputs: {},
  };
  const { statistics } = await lab.once(work, async () => {
    const segments = await lab.run("sample", { ...settings, model: folder, corpus: calibration, length: segmentLength });
    return { statistics: await lab.run("capture", { model: folder }, { source: [segments] }) };
  });
  return { subject, settings, statistics };
}

/** The same number of tokens of every language. */
export const equalPool = (subject: Subject, seed: number): Promise<Pool> =>
  capturePool(subject, { mix: "equal", segments: segmentsEach * subject.shares.size, seed });
