/** Site of a step's own input, before its norm. No weight reads it; similarity does. */
export const inputSite = "input";

/** Language of a Gram over the tokens of all languages, kept in place of theirs beyond the budget of capture. */
export const allLanguages = "*";

/** Step and site of a mean over all steps and sites. */
export const allSites = "*";
