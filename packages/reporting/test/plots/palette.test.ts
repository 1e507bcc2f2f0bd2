import { test } from "uvu";
import * as assert from "uvu/assert";
import { pageColours, palette } from "../../src/plots/palette.ts";

/** Relative luminance, WCAG 2.2. */
function luminance(colour: string): number {
  const channel = (start: number): number => {
    const value = Number.parseInt(colour.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(first: string, second: string): number {
  const [one, other] = [luminance(first), luminance(second)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

test("contrast by the definition: black on white is 21", () => {
  assert.ok(Math.abs(contrast("#000000", "#ffffff") - 21) < 1e-9);
});

test("bars and points stand out by 3 to 1, text by 4.5 to 1, in light and dark", () => {
  for (const { ink, paper, soft, tint, link } of [pageColours.light, pageColours.dark]) {
    for (const colour of palette) assert.ok(contrast(colour, paper) >= 3, `${colour} on ${paper}`);
    for (const text of [ink, soft, link])
      for (const ground of [paper, tint]) assert.ok(contrast(text, ground) >= 4.5, `${text} on ${ground}`);
  }
});

test.run();
