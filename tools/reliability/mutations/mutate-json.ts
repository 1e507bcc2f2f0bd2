import type { Draw } from "./draw.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Place = { readonly holder: Json[] | { [key: string]: Json }; readonly key: string | number };

/*
 * What JSON.stringify does not write stands in the value as a text that begins with a mark, and is put in its place in the
 * written text: numbers that no double holds, nesting without end, a key that an object has twice.
 */
const mark = "\u0001raw:";
const nested = (levels: number): string => `${mark}${"[".repeat(levels)}${"]".repeat(levels)}`;
const twice = "\u0001twice";

const replacements: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  1e12,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e308,
  "",
  "x",
  "\u0000",
  "\ud800",
  "__proto__",
  "NaN",
  "Infinity",
  "../..",
  "a".repeat(10_000),
  [],
  {},
  [[]],
  [0],
  { x: 0 },
  `${mark}1e999`,
  `${mark}-0`,
  `${mark}1e-400`,
  `${mark}123456789012345678901234567890`,
  nested(10),
  nested(200),
  nested(2000),
  nested(10_000),
];

const keys = ["__proto__", "constructor", "toString", "length", "", "x", "0", "a\nb"];

/** A place at any depth: a list of thousands of numbers counts as much as any key beside it. */
function placeIn(root: Json[], draw: Draw): Place {
  let place: Place = { holder: root, key: 0 };
  for (;;) {
    const value: Json | undefined = valueAt(place);
    if (typeof value !== "object" || value === null || Object.keys(value).length === 0 || draw.below(5) === 0) return place;
    place = Array.isArray(value)
      ? { holder: value, key: draw.below(value.length) }
      : { holder: value, key: draw.from(Object.keys(value)) };
  }
}

const valueAt = ({ holder, key }: Place): Json | undefined => (holder as Record<string | number, Json>)[key];

/** Puts a copy of a value there: later edits may change it. Defines, so that a key such as `__proto__` stays one. */
function put({ holder, key }: Place, value: Json | undefined): void {
  const copy = structuredClone(value ?? null);
  Object.defineProperty(holder, key, { value: copy, enumerable: true, configurable: true, writable: true });
}

function remove({ holder, key }: Place): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
}

/** What is put into texts: signs that patterns, templates and paths know, control characters, half a pair of surrogates. */
const characters = "a Z 0 9 - _ . / : , * + ? ( ) [ ] { } | \\ ^ $ \" ' % # & ! ~ é 日"
  .split(" ")
  .concat([" ", "\n", "\t", "\u0000", "\u0301", "\ud83d", ""]);

/** A value of the same type, near the old one or at an end of what the type holds. */
function near(value: Json | undefined, draw: Draw): Json {
  if (typeof value === "number") {
    return draw.from([value + 1, value - 1, -value, 0, 2 * value, value / 2, value + 0.5, 2 ** 31, 2 ** 53, -1]);
  }
  if (typeof value === "boolean") return !value;
  if (typeof value !== "string") return draw.from(replacements);
  if (/^[[{]/.test(value) && draw.below(2) === 0) return withinText(value, draw);
  const place = draw.below(value.length + 1);
  const character = draw.from([...characters, value]);
  return value.slice(0, place) + character + value.slice(place + draw.below(2));
}

/** Of JSON in a text, as in metadata of Arrow. */
function withinText(value: string, draw: Draw): string {
  try {
    return new TextDecoder().decode(mutateJson(new TextEncoder().encode(value), draw));
  } catch {
    return value.slice(draw.below(value.length));
  }
}

const edits: readonly ((root: Json[], draw: Draw) => void)[] = [
  function replace(root, draw) {
    put(placeIn(root, draw), draw.from(replacements));
  },
  function change(root, draw) {
    const place = placeIn(root, draw);
    put(place, near(valueAt(place), draw));
  },
  function changeAgain(root, draw) {
    const place = placeIn(root, draw);
    put(place, near(valueAt(place), draw));
  },
  function drop(root, draw) {
    remove(placeIn(root, draw));
  },
  function copy(root, draw) {
    const [from, to] = [valueAt(placeIn(root, draw)), placeIn(root, draw)];
    put(to, from);
  },
  function swap(root, draw) {
    const [first, second] = [placeIn(root, draw), placeIn(root, draw)];
    const [one, other] = [structuredClone(valueAt(first)), valueAt(second)];
    put(first, other);
    put(second, one);
  },
  function add(root, draw) {
    const { holder } = placeIn(root, draw);
    if (Array.isArray(holder)) holder.splice(draw.below(holder.length + 1), 0, structuredClone(draw.from(holder)));
    else put({ holder, key: draw.from(keys) }, draw.from(replacements));
  },
  function rename(root, draw) {
    const place = placeIn(root, draw);
    const value = valueAt(place);
    if (Array.isArray(place.holder)) return;
    remove(place);
    put({ holder: place.holder, key: draw.from([...keys, `${place.key}x`, String(place.key).slice(1)]) }, value);
  },
  function double(root, draw) {
    const place = placeIn(root, draw);
    if (Array.isArray(place.holder)) return;
    put({ holder: place.holder, key: `${place.key}${twice}` }, valueAt(place));
  },
];

const rawText = new RegExp(`"${JSON.stringify(mark).slice(1, -1).replace("\\", "\\\\")}([^"]*)"`, "g");
const twiceText = JSON.stringify(twice).slice(1, -1);

/**
 * Between one and three edits of JSON: values of another type, near or at the ends of their type, keys missing, renamed or
 * twice, parts copied and swapped, numbers without end, deep nesting.
 */
export function mutateJson(whole: Uint8Array, draw: Draw): Uint8Array {
  const root = [JSON.parse(new TextDecoder().decode(whole)) as Json];
  for (let left = draw.from([1, 1, 1, 2, 3]); left > 0 && root.length > 0; left--) draw.from(edits)(root, draw);
  const text = JSON.stringify(root[0] ?? null);
  return new TextEncoder().encode(text.replaceAll(rawText, "$1").replaceAll(twiceText, ""));
}
