import type { ScalarTag } from "yaml";
import { Float } from "../python/values.ts";

const sexagesimal = (text: string): number =>
  text
    .replaceAll("_", "")
    .split(":")
    .reduce((total, part) => total * 60 + Number(part), 0);

function integer(text: string): number {
  const plain = text.replaceAll("_", "");
  const sign = plain.startsWith("-") ? -1 : 1;
  const digits = plain.replace(/^[-+]/, "");
  if (digits.includes(":")) return sign * sexagesimal(digits);
  if (/^0[bx]/.test(digits)) return sign * Number(digits);
  return sign * (/^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits));
}

function float(text: string): Float {
  const plain = text.replaceAll("_", "").toLowerCase();
  if (plain.endsWith(".nan")) return new Float(Number.NaN);
  if (plain.endsWith(".inf")) return new Float(plain.startsWith("-") ? -Infinity : Infinity);
  if (!plain.includes(":")) return new Float(Number(plain));
  return new Float((plain.startsWith("-") ? -1 : 1) * sexagesimal(plain.replace(/^[-+]/, "")));
}

/** How PyYAML reads plain scalars, YAML 1.1 with its own rules: `yes` is True, `y` is a text, `1e3` too. */
export const pythonScalars: readonly ScalarTag[] = [
  {
    tag: "tag:yaml.org,2002:null",
    default: true,
    test: /^(?:~|null|Null|NULL|)$/,
    resolve: () => null,
  },
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
    resolve: (text) => /^(?:yes|true|on)$/i.test(text),
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
    resolve: integer,
  },
  {
    tag: "tag:yaml.org,2002:float",
    default: true,
    test: /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
    resolve: float,
  },
];
