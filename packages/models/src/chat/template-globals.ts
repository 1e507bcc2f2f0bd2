/** Most numbers of a `range`, as in the sandbox of Jinja. */
const mostNumbers = 100_000;

function range(first: number, second?: number | null, step: number | null = 1): number[] {
  const [start, stop] = second === undefined || second === null ? [0, first] : [first, second];
  const by = step ?? 1;
  const count = Math.max(0, Math.ceil((stop - start) / by));
  if (!(count <= mostNumbers)) throw new Error(`range() of ${count} numbers, more than ${mostNumbers}`);
  return Array.from({ length: count }, (_, index) => start + index * by);
}

/** Parts of 26 July 2024, a Friday, by their letters in strftime. */
const dateParts: Readonly<Record<string, string>> = {
  Y: "2024",
  y: "24",
  m: "07",
  B: "July",
  b: "Jul",
  d: "26",
  e: "26",
  A: "Friday",
  a: "Fri",
  j: "208",
  H: "00",
  I: "12",
  M: "00",
  S: "00",
  p: "AM",
  "%": "%",
};

/**
 * What templates write as the date of today: always the one that Llama 3.1 has where it is given none. With the true one the
 * same conversations would be other tokens every day.
 */
const strftimeNow = (format: string): string => format.replaceAll(/%-?(.)/g, (code, letter: string) => dateParts[letter] ?? code);

function raiseException(message: unknown): never {
  throw new Error(String(message));
}

/** Names that every chat template knows, as transformers has them. `namespace` and filters are the library's. */
export const templateGlobals: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  strftime_now: strftimeNow,
  raise_exception: raiseException,
};
