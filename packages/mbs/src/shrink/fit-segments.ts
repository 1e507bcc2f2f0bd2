import { UsageError } from "@mbs/contracts";
import { formatSeconds } from "@mbs/host-cli";
import type { Estimate } from "@mbs/pipeline";

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
 * As many segments as the time allows: time grows by a line with them, of which two estimates say all.
 *
 * @throws {UsageError} where the fewest take longer, naming their time
 */
export async function fitSegments(
  { most, fewest, seconds, length, remedy }: SegmentLimits,
  estimateOf: (segments: number) => Promise<Estimate>,
): Promise<SegmentsEstimate> {
  const all = await estimateOf(most);
  if (seconds === undefined || all.seconds <= seconds) return { segments: most, estimate: all };
  const least = fewest < most ? await estimateOf(fewest) : all;
  if (least.seconds > seconds) {
    throw new UsageError(
      `--within is too short: with ${fewest} segments of text, the fewest, it takes about ${formatSeconds(least.seconds)}; allow some more than that, ${remedy}`,
      { option: "--within" },
    );
  }
  // texts may have no more
  const there = Math.max(fewest + 1, Math.min(most, Math.ceil(all.calibrationTokens / length)));
  const ofOne = (all.seconds - least.seconds) / (there - fewest);
  const segments = Math.min(there - 1, fewest + Math.floor((seconds - least.seconds) / ofOne));
  if (segments === fewest) return { segments, estimate: least };
  const found = await estimateOf(segments);
  return found.seconds <= seconds ? { segments, estimate: found } : { segments: fewest, estimate: least };
}
