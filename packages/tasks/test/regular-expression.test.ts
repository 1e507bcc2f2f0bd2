import { test } from "uvu";
import * as assert from "uvu/assert";
import { pythonExpression, substitute } from "../src/python/regular-expression.ts";

/** What CPython's re.findall gives, of the whole match. */
const found: [string, string, string[]][] = [
  ["\\d+", "a١٢ 34", ["١٢", "34"]],
  ["\\w+", "naïve हिन्दी", ["naïve", "हिन", "दी"].slice(0, 1).concat(["ह", "न", "द"])],
  ["a.c", "a\rc a\nc a\u2028c", ["a\rc", "a\u2028c"]],
  ["x$", "x\n", ["x"]],
  ["(?im)^b$", "B\nb\n", ["B", "b"]],
  ["[^\\S\\n]+", " \u3000\n\t", [" \u3000", "\t"]],
  ["(?P<q>['\"]).*?(?P=q)", '\'a" b\' "c"', ["'a\" b'", '"c"']],
  ["\\bA\\b", "A BA Aé", ["A"]],
  ["a{,2}b{1}}", "aab}", ["aab}"]],
  ['\\-\\#\\"', '-#"', ['-#"']],
  ["[]a-]+", "]a-b", ["]a-"]],
  ["\\\\boxed\\{([A-D])\\}", "\\boxed{C}", ["\\boxed{C}"]],
];

for (const [pattern, text, expected] of found) {
  test(`${pattern} finds the same`, () => {
    assert.equal(
      Array.from(text.matchAll(pythonExpression(pattern, "here")), ([whole]) => whole),
      expected,
    );
  });
}

test("replacements name groups as re.sub does", () => {
  assert.is(substitute(pythonExpression("(?P<a>\\w)(\\d)?", "here"), "\\2\\g<a>$1\\n", "x1y", 0), "1x$1\ny$1\n");
  assert.is(substitute(pythonExpression("a", "here"), "b", "aaa", 2), "bba");
});

test("what has no counterpart is refused with the part", () => {
  for (const [pattern, part] of [
    ["(?>a)", "(?>"],
    ["(a)(?(1)b)", "(?("],
    ["[\\W]", "\\\\W in brackets"],
    ["a++", "possessive"],
  ] as const) {
    assert.throws(
      () => pythonExpression(pattern, "the filter"),
      (error: Error) => error.message.startsWith("the filter: ") && error.message.includes(part.replace("\\\\", "\\")),
    );
  }
});

test.run();
