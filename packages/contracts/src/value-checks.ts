/** Whether a value is an object of names and values: no list, and not null. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value is a number of at least 0, and not infinite. */
export const isAmount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;

/** Whether a value is a whole number of at least 0 that float64 has exactly. */
export const isCount = (value: unknown): value is number => isAmount(value) && Number.isSafeInteger(value);
