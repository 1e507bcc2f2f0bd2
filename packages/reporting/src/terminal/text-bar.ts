const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A bar of block characters, padded to its full width.
 *
 * @param share of the full width, 0 to 1; what lies outside is cut
 * @param width in columns
 */
export function textBar(share: number, width: number): string {
  const units = Math.round(Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * width * 8);
  return ("█".repeat(Math.floor(units / 8)) + eighths[units % 8]).padEnd(width);
}
