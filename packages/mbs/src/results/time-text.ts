import { formatAbout } from "@mbs/host-cli";
import type { Estimate } from "@mbs/pipeline";

/** "about 18 min", or with what other programs take of the machine: what it takes without them, and while they go on. */
export function timeText({ seconds, slowdown }: Pick<Estimate, "seconds" | "slowdown">): string {
  const quiet = `about ${formatAbout(seconds)}`;
  if (slowdown === 1) return quiet;
  return `${quiet} on a quiet machine; other programs are using this one now: about ${formatAbout(seconds * slowdown)}`;
}
