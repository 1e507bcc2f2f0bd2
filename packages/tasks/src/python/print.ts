import { Float, Tuple, Undefined, type PythonValue } from "./values.ts";

/** repr of a float: the shortest digits, an exponent below 1e-4 and from 1e16. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [mantissa = "", exponentText] = Math.abs(value).toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16)
    return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${`${Math.abs(exponent)}`.padStart(2, "0")}`;
  const digits = mantissa.replace(".", "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

const hex = (text: string, letter: string, width: number): string =>
  `\\${letter}${(text.codePointAt(0) ?? 0).toString(16).padStart(width, "0")}`;

function escapeUnprintable(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x100) return hex(character, "x", 2);
  return point < 0x10000 ? hex(character, "u", 4) : hex(character, "U", 8);
}

/** repr of a text: in single quotes, unless it has single quotes and no double ones. */
export function quoteText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replace(/\\/g, "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    .replace(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, escapeUnprintable);
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}

const items = (values: readonly PythonValue[]): string => values.map(repr).join(", ");

/** Python's `repr(value)`. */
export function repr(value: PythonValue): string {
  if (typeof value === "string") return quoteText(value);
  if (Array.isArray(value)) return `[${items(value)}]`;
  if (value instanceof Tuple) return value.items.length === 1 ? `(${items(value.items)},)` : `(${items(value.items)})`;
  if (value instanceof Map) return `{${Array.from(value, ([key, item]) => `${repr(key)}: ${repr(item)}`).join(", ")}}`;
  return print(value);
}

/** Python's `str(value)`: what a template writes. */
export function print(value: PythonValue): string {
  if (typeof value === "string") return value;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return `${value}`;
  if (value instanceof Float) return printFloat(value.value);
  if (value instanceof Undefined) return "Undefined";
  return typeof value === "function" ? "<function>" : repr(value);
}
