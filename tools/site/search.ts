/** How much a page counts, by its address on the site: guides, then figures, reference and pages for developers, then the library. */
const rank = (id: string): number => {
  if (/\/(?:api\/|changelog)/.test(id)) return 0.1;
  return /\/(?:adding-|architecture|artifacts|contributing|controlled-|gptq-variants|measured\/|paper|performance|real-models|releasing|reliability|scaling|security|studies)/.test(
    id,
  )
    ? 0.4
    : 1;
};

/**
 * What the site's search finds first: guides. The generator writes the function into the site as text, so it reads nothing outside
 * itself.
 */
export const searchOptions = { boostDocument: rank } as const;
