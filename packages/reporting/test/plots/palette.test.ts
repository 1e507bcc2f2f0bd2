import { test } from "uvu";
import * as assert from "uvu/assert";
import { pageColours, palette } from "../../src/plots/palette.ts";

/** Relative luminance, WCAG 2.2. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(first: string, second: string): number {
  const [dark, light] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
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
