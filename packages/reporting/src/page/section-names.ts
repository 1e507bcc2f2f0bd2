/** What the sections of one artifact are called where there may be several of its kind. */
export interface SectionNames {
  /** An anchor that is one of a kind on its page. */
  id(base: string): string;
  /** A heading, with the artifact's name where it is not the only one. */
  title(base: string): string;
}

/**
 * @param name of the artifact
 * @param index of it among those of its kind
 * @param count of those of its kind
 */
export const sectionNames = (name: string, index: number, count: number): SectionNames => ({
  id: (base) => (index === 0 ? base : `${base}-of-${index + 1}`),
  title: (base) => (count === 1 ? base : `${base} (${name})`),
});
