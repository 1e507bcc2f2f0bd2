import type { Segment } from "@mbs/artifacts";
import { at, InternalError } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { ExpertCounter } from "./expert-counts.ts";
import type { SegmentText, Shortage } from "./language-pool.ts";

/** What has been drawn of one language, and which experts it reached. */
export interface CoveredLanguage {
  tokens: number;
  segments: number;
  /** Tokens by expert, of all blocks. */
  readonly reached: Float64Array;
  /** Whether there is text left. */
  hasText: boolean;
}

/** Tokens of all languages that reached each expert. */
export function reachedByAll(languages: ReadonlyMap<string, CoveredLanguage>): Float64Array {
  const [first] = languages.values();
  const sums = new Float64Array(first?.reached.length ?? 0);
  for (const { reached } of languages.values())
    for (const [expert, tokens] of reached.entries()) sums[expert] = at(sums, expert) + tokens;
  return sums;
}

/**
 * How many more segments of each language to draw. Each expert that has seen too little is left to the language that sends it the
 * largest share of its tokens; a language of which little was seen may do so still. A language at most doubles at once, since its
 * share is known from what was drawn of it.
 *
 * @param wanted tokens that each expert is to see
 * @param most segments in all
 * @param length tokens a segment
 * @returns language → segments, empty where all experts have seen enough, or no language with text is left
 */
export function nextSegments(
  languages: ReadonlyMap<string, CoveredLanguage>,
  { wanted, most, length }: CoverRequest,
): ReadonlyMap<string, number> {
  const asked = new Map<string, number>();
  const open = [...languages].filter(([, { hasText }]) => hasText);
  for (const [expert, seen] of reachedByAll(languages).entries()) {
    if (seen >= wanted || open.length === 0) continue;
    // half a token more: what was not seen in few tokens may be seen in more
    const shareOf = ({ reached, tokens }: CoveredLanguage): number => (at(reached, expert) + 0.5) / (tokens + 1);
    const [name, best] = open.reduce((one, other) => (shareOf(other[1]) > shareOf(one[1]) ? other : one));
    const segments = Math.ceil((wanted - seen) / shareOf(best) / length);
    asked.set(name, Math.max(asked.get(name) ?? 0, Math.min(segments, Math.max(1, best.segments))));
  }
  let left = most;
  const taken = [...asked].map(([name, segments]): [string, number] => {
    const own = Math.min(segments, left);
    left -= own;
    return [name, own];
  });
  return new Map(taken.filter(([, segments]) => segments > 0));
}

/** What drawing more text has come to, as the metadata of the segments say. */
export interface Coverage {
  /** Tokens that each expert was to see. */
  readonly wanted: number;
  /** Experts of all blocks, those that have seen as many, and the tokens of the one that has seen the fewest. */
  readonly experts: number;
  readonly covered: number;
  readonly least: number;
  /** Segments of each language that were added. */
  readonly added: Readonly<Record<string, number>>;
  /** Tokens that were run through the model to know. */
  readonly tokens: number;
}

export interface CoverRequest {
  /** Tokens that each expert is to see. */
  readonly wanted: number;
  /** Segments that may be added. */
  readonly most: number;
  /** Tokens a segment. */
  readonly length: number;
}

type Texts = AsyncGenerator<SegmentText, Shortage | undefined, undefined>;

/**
 * Draws more text until each expert has seen enough, or there is no more.
 *
 * @param drawn segments of the mix
 * @param texts where the text of each language goes on behind them
 * @returns what was added, in the order in which it was drawn
 */
export async function coverExperts(
  drawn: readonly Segment[],
  texts: ReadonlyMap<string, Texts>,
  counter: ExpertCounter,
  { wanted, most, length }: CoverRequest,
  context: StageContext,
): Promise<{ readonly added: readonly Segment[]; readonly coverage: Coverage }> {
  const languages = new Map(
    [...texts.keys()].map((name): [string, CoveredLanguage] => [
      name,
      { tokens: 0, segments: 0, reached: new Float64Array(counter.experts), hasText: true },
    ]),
  );
  const run = async (own: CoveredLanguage, segments: readonly Segment[]): Promise<void> => {
    const counts = await counter.count(
      segments.map(({ tokens }) => tokens),
      context,
    );
    for (const [expert, count] of counts.entries()) own.reached[expert] = at(own.reached, expert) + count;
    own.tokens += segments.length * length;
    own.segments += segments.length;
  };
  for (const [name, own] of languages) {
    await run(
      own,
      drawn.filter(({ language }) => language === name),
    );
  }
  const added: Segment[] = [];
  for (;;) {
    const next = nextSegments(languages, { wanted, most: most - added.length, length });
    if (next.size === 0) break;
    for (const [name, count] of next) {
      const [own, text] = [languages.get(name), texts.get(name)];
      if (own === undefined || text === undefined) throw new InternalError(`sample: no texts of ${name}`, { language: name });
      const segments: Segment[] = [];
      while (segments.length < count) {
        const made = await text.next();
        if (made.done) break;
        segments.push({ segment: drawn.length + added.length + segments.length, language: name, ...made.value });
      }
      own.hasText = segments.length === count;
      added.push(...segments);
      await run(own, segments);
    }
  }
  const reached = reachedByAll(languages);
  const counts = new Map<string, number>();
  for (const { language } of added) counts.set(language, (counts.get(language) ?? 0) + 1);
  const coverage = {
    wanted,
    experts: counter.experts,
    covered: reached.filter((tokens) => tokens >= wanted).length,
    least: reached.reduce((least, tokens) => Math.min(least, tokens), Infinity),
    added: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    tokens: counter.tokens,
  };
  return { added, coverage };
}

/** One line on what was reached. @param seconds that it took */
export function describeCoverage({ wanted, experts, covered, least, added, tokens }: Coverage, seconds: number): string {
  const segments = Object.values(added).reduce((sum, count) => sum + count, 0);
  const languages = Object.entries(added).map(([language, count]) => `${language} ${count}`);
  const what = segments === 0 ? "no text" : `${segments} segments (${languages.join(", ")})`;
  return `${covered} of ${experts} experts see at least ${wanted} tokens, the least ${least}, with ${what} added to cover them; ${tokens} tokens were run through the model in ${seconds.toFixed(0)} s`;
}
