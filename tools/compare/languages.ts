/** A language of the comparison. */
export interface ComparedLanguage {
  /** BCP 47, as in the project's corpora. */
  readonly tag: string;
  /** Debian's package of LibreOffice's help. */
  readonly package: string;
  /** Its folder under /usr/share/libreoffice/help. */
  readonly folder: string;
  /** ISO 15924. */
  readonly script: string;
  /**
   * Share of the training mixture. Gemma's is not published: these are assumed, by the order of magnitude that published
   * mixtures of web text have (mC4, FineWeb-2).
   */
  readonly share: number;
}

/** Eight languages, six scripts, five shares. */
export const languages: readonly ComparedLanguage[] = [
  { tag: "en", package: "libreoffice-help-en-us", folder: "en-US", script: "Latn", share: 0.64 },
  { tag: "de", package: "libreoffice-help-de", folder: "de", script: "Latn", share: 0.1 },
  { tag: "ru", package: "libreoffice-help-ru", folder: "ru", script: "Cyrl", share: 0.1 },
  { tag: "zh", package: "libreoffice-help-zh-cn", folder: "zh-CN", script: "Hans", share: 0.06 },
  { tag: "ko", package: "libreoffice-help-ko", folder: "ko", script: "Hang", share: 0.03 },
  { tag: "id", package: "libreoffice-help-id", folder: "id", script: "Latn", share: 0.03 },
  { tag: "hi", package: "libreoffice-help-hi", folder: "hi", script: "Deva", share: 0.02 },
  { tag: "km", package: "libreoffice-help-km", folder: "km", script: "Khmr", share: 0.02 },
];

/**
 * Four more for the comparison of mixes: a small language in the Latin script, and two scripts that no other one has. All twelve
 * are weighted by their share of the sum.
 */
export const twelveLanguages: readonly ComparedLanguage[] = [
  ...languages,
  { tag: "ja", package: "libreoffice-help-ja", folder: "ja", script: "Jpan", share: 0.06 },
  { tag: "vi", package: "libreoffice-help-vi", folder: "vi", script: "Latn", share: 0.03 },
  { tag: "el", package: "libreoffice-help-el", folder: "el", script: "Grek", share: 0.02 },
  { tag: "eu", package: "libreoffice-help-eu", folder: "eu", script: "Latn", share: 0.01 },
];
