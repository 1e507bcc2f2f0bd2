import { UsageError } from "@mbs/contracts";
import { formatAbout } from "@mbs/host-cli";
import type { Estimate } from "@mbs/pipeline";
import { durationFrom } from "./duration.ts";

/** What runs take with so much text. */
export interface SegmentsEstimate {
  readonly segments: number;
  /** Its seconds are those of all that is run. */
  readonly estimate: Estimate;
}

/** How many segments there may be, and the time that all may take, seconds. */
interface SegmentLimits {
  readonly most: number;
  /** At most `most`. */
  readonly fewest: number;
  /** Undefined for any time. */
  readonly seconds: number | undefined;
  /** Tokens of a segment. */
  readonly length: number;
  /** What makes it take less time. */
  readonly remedy: string;
}

/**
 * As many segments as the time allows on a machine where no other program is at work.
 *
 * @throws {UsageError} where the fewest take longer, with a time that is enough
 */
export async function fitSegments(
  { most, fewest, seconds, length, remedy }: SegmentLimits,
  estimateOf: (segments: number) => Promise<Estimate>,
): Promise<SegmentsEstimate> {
  const all = await estimateOf(most);
  if (seconds === undefined || all.seconds <= seconds) return { segments: most, estimate: all };
  // texts may have no more
  const there = Math.max(fewest, Math.min(most, Math.ceil(all.calibrationTokens / length)));
  const least = all.seconds - (there - fewest) * all.secondsOfSegment;
  if (least > seconds) {
    throw new UsageError(
      `--within is too short: with ${fewest} segments of text, the fewest, it takes about ${formatAbout(least)} on a machine that nothing else uses; say --within ${durationFrom(least)}, ${remedy}`,
      { option: "--within" },
    );
  }
  const segments = fewest + Math.floor((seconds - least) / all.secondsOfSegment);
  return { segments, estimate: await estimateOf(segments) };
}
