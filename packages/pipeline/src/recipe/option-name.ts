/** The name of an option in the library, "groupSize", for the one on the command line, "group-size", or for itself. */
export const optionName = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
