/** A number by language, or by another name. */
export type NumbersByLanguage = Readonly<Record<string, number>>;

/** The number of a language; 0 where it has none. */
export const numberOf = (numbers: NumbersByLanguage, language: string): number =>
  Object.hasOwn(numbers, language) ? numbers[language] : 0;
