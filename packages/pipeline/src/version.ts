/** The version of package.json; `npm run packages` writes it. */
export const version = "0.1.0";
