import { BadDataError, InternalError } from "@mbs/contracts";
import type { Score } from "./kinds/records.ts";

/** Sums over the windows of one model in one language (or one source of it). */
export interface LossSums {
  readonly nll: number;
  readonly tokens: number;
  readonly bytes: number;
}

/** The windows of one model, by language, in order of window. Insertion order is that of the scores. */
export interface ModelScores {
  readonly model: string;
  readonly address: string;
  readonly languages: ReadonlyMap<string, readonly Score[]>;
}

/** exp() of more nats a token is no finite perplexity. */
const mostNats = 700;

/** @throws {BadDataError} where the windows of one model and language are those of no held-out text */
function requireLosses(model: string, language: string, windows: readonly Score[]): void {
  const refuse = (what: string): never => {
    throw new BadDataError(`scores: ${model} ${what}; evaluate again`, { model, language });
  };
  const seen = new Set<string>();
  for (const { window, source, nll, tokens } of windows) {
    const key = JSON.stringify([window, source]);
    if (seen.has(key)) refuse(`has window ${window} of ${language} twice`);
    seen.add(key);
    if (nll / tokens > mostNats) {
      refuse(
        `loses ${(nll / tokens).toPrecision(3)} nats a token in window ${window} of ${language}, too many for a finite perplexity`,
      );
    }
  }
  if (windows.every(({ bytes }) => bytes === 0)) refuse(`has no bytes of ${language}`);
}

/**
 * Groups scores by model, then language.
 *
 * @throws {BadDataError} where a window stands twice, loses too much for a finite perplexity, or a language has no bytes
 */
export function groupScores(scores: Iterable<Score>): readonly ModelScores[] {
  const models = new Map<string, { address: string; languages: Map<string, Score[]> }>();
  for (const score of scores) {
    const model = models.get(score.model) ?? { address: score.address, languages: new Map<string, Score[]>() };
    models.set(score.model, model);
    const windows = model.languages.get(score.language) ?? [];
    model.languages.set(score.language, windows);
    windows.push(score);
  }
  return [...models].map(([model, { address, languages }]) => {
    for (const [language, windows] of languages) {
      requireLosses(model, language, windows);
      windows.sort((a, b) => a.window - b.window);
    }
    return { model, address, languages };
  });
}

/** Adds up the windows at `picks`; each window as often as it is picked. */
export function sumLosses(windows: readonly Score[], picks?: Iterable<number>): LossSums {
  let nll = 0;
  let tokens = 0;
  let bytes = 0;
  for (const pick of picks ?? windows.keys()) {
    const window = windows[pick];
    if (window === undefined) throw new InternalError(`no window ${pick} among ${windows.length}`);
    nll += window.nll;
    tokens += window.tokens;
    bytes += window.bytes;
  }
  return { nll, tokens, bytes };
}

/** Nats a predicted token: the logarithm of perplexity. */
export const logPerplexity = ({ nll, tokens }: LossSums): number => nll / tokens;

/** Bits a UTF-8 byte of the predicted text. */
export const bitsPerByte = ({ nll, bytes }: LossSums): number => nll / Math.LN2 / bytes;

/**
 * Whether two models were scored on the same windows of a language, so that they can be compared window by window.
 * Windows that hold other text have another number of bytes.
 */
export function sameWindows(first: readonly Score[], second: readonly Score[]): boolean {
  return (
    first.length === second.length &&
    first.every(({ window, source, tokens, bytes }, index) => {
      const other = second[index];
      return (
        other !== undefined &&
        window === other.window &&
        source === other.source &&
        tokens === other.tokens &&
        bytes === other.bytes
      );
    })
  );
}
