import { at } from "@mbs/contracts";

/** Blue, orange, green, red, purple: at least 3:1 against the page in light and in dark, and told apart by colour-blind eyes. */
export const palette: readonly [blue: string, orange: string, ...string[]] = [
  "#3b82c4",
  "#c9700e",
  "#2f9461",
  "#d15353",
  "#8f6bb8",
];

/** The colour of the series with this index; after the last it begins again. */
export const colourOf = (index: number): string => at(palette, index % palette.length);

/** Colours of the page's own: text, paper, lines, text of less weight, links. */
export const pageColours = {
  light: {
    ink: "#1c2126",
    paper: "#ffffff",
    line: "#d5dae0",
    soft: "#56616b",
    tint: "#f3f5f7",
    shade: "#b9c0c8",
    link: "#1d5f9e",
  },
  dark: {
    ink: "#e6e9ec",
    paper: "#15181b",
    line: "#363c42",
    soft: "#a3adb6",
    tint: "#1e2226",
    shade: "#5b646d",
    link: "#7db8ee",
  },
} as const;
