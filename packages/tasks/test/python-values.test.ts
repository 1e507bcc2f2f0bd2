import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseLiteral } from "../src/python/literal.ts";
import { print, repr } from "../src/python/print.ts";
import { PythonRandom } from "../src/python/random.ts";
import { capitalise, lengthOf, strip } from "../src/python/text.ts";
import { areEqual, Float, Tuple, type PythonValue } from "../src/python/values.ts";

// Expected values are what CPython 3.11 prints.
test("values print as Python prints them", () => {
  const printed: [PythonValue, string][] = [
    [new Float(2), "2.0"],
    [new Float(1e16), "1e+16"],
    [new Float(123456789012345.6), "123456789012345.6"],
    [new Float(0.0001), "0.0001"],
    [new Float(0.00001234), "1.234e-05"],
    [new Float(-0), "-0.0"],
    [new Float(Number.NaN), "nan"],
    [
      [null, true, "it's", 'a "b"', 'it\'s "x"', "a\\b\n\t\u00a0\u200b😀"],
      `[None, True, "it's", 'a "b"', 'it\\'s "x"', 'a\\\\b\\n\\t\\xa0\\u200b😀']`,
    ],
    [new Tuple([1]), "(1,)"],
    [new Map<PythonValue, PythonValue>([["k", new Tuple([1, "x"])]]), "{'k': (1, 'x')}"],
  ];
  for (const [value, text] of printed) assert.is(print(value), text);
});

test("what is printed is read back", () => {
  for (const text of ["it's", "both ' and \"", "line\r\nend \u2028 \u{1f600}", "\\", "\x00\x7f"]) {
    assert.equal(parseLiteral(repr([text, new Tuple([text])])), [text, new Tuple([text])]);
  }
});

test("literals are read as ast.literal_eval reads them", () => {
  const read: [string, PythonValue][] = [
    [" [1, -2, +3, 0x1f, 1_000,]", [1, -2, 3, 31, 1000]],
    ["'a' \"b\"\n", "ab"],
    ["['''x\r\ny''', r'\\d', u'\\u00e9\\x41\\101\\q']", ["x\ny", "\\d", "éAA\\q"]],
    ["(1)", 1],
    ["(1,)", new Tuple([1])],
    ["1, 'b'", new Tuple([1, "b"])],
    [
      "{'a': [None, True], 1: 2.5e1}",
      new Map<PythonValue, PythonValue>([
        ["a", [null, true]],
        [1, new Float(25)],
      ]),
    ],
    ["[\n1, # one\n2]", [1, 2]],
  ];
  for (const [text, value] of read) assert.ok(areEqual(parseLiteral(text), value), text);
});

test("what is no literal is refused", () => {
  for (const text of ["", "abc", "[1 2]", "[1,,2]", "'open", "'a\nb'", "007", "f'x'", "[1]x", "1 + 1", "{1}", "٣"]) {
    assert.throws(
      () => parseLiteral(text),
      (error: unknown) => error instanceof BadDataError,
    );
  }
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test("random numbers are those of random.Random", () => {
  const random = new PythonRandom(1234);
  assert.equal(random.sample(numbers(20), 4), [14, 3, 0, 2]);
  assert.equal(random.sample(numbers(1000), 7), [932, 965, 961, 826, 596, 35, 687]);
  assert.is(random.bits(), 2976787804);
  assert.throws(() => random.sample([1, 2], 3), /3 examples are wanted of 2 rows; ask for fewer/);
});

test("texts are handled as Python does", () => {
  assert.is(strip("\u3000\x1c a\ufeff \x85"), "a\ufeff");
  assert.is(lengthOf("a😀é"), 3);
  assert.equal(["ǆUNGLA", "ßa", "ქართ", "éCOLE", ""].map(capitalise), ["ǅungla", "Ssa", "ქართ", "École", ""]);
});

test("equality is Python's", () => {
  assert.ok(areEqual(1, new Float(1)) && areEqual(true, 1) && areEqual(["a", [1]], ["a", [true]]));
  assert.not(areEqual("1", 1));
  assert.not(areEqual([1], new Tuple([1])));
  assert.not(areEqual(null, 0));
});

test.run();
