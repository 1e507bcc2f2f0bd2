import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, FailedPreconditionError } from "@mbs/contracts";
import { readConfig } from "../src/config/config.ts";
import { outerRopeKeys, ropeKeys } from "../src/config/rope-keys.ts";
import { readRotary } from "../src/config/rope-scaling.ts";
import type { RopeOptions } from "../src/config/rope-scaling.ts";
import { rotaryTables } from "../src/graph/rotary.ts";
import type { Rotary } from "../src/graph/rotary.ts";

function rotary(json: Record<string, unknown>, options: Partial<RopeOptions> = {}): Rotary {
  const config = readConfig(json, { ...ropeKeys, ...outerRopeKeys }, { file: "config.json", unknown: [] });
  const { rope_theta: theta, partial_rotary_factor: share } = config.values;
  return readRotary(config, { headSize: 8, theta, share, partial: true, ...options });
}

const frequencies = (config: Record<string, unknown>, options: Partial<RopeOptions> = {}): number[] => [
  ...rotary(config, options).frequencies,
];

const close = (found: number[], expected: number[]): void => {
  assert.is(found.length, expected.length);
  expected.forEach((value, index) => {
    const own = at(found, index);
    assert.ok(Math.abs(own / value - 1) < 1e-6, `${own} instead of ${value}`);
  });
};

test("frequencies fall from 1 by the base, over the share of the head that turns", () => {
  close(frequencies({}), [1, 0.1, 0.01, 0.001]);
  close(frequencies({ rope_theta: 16 }), [1, 0.5, 0.25, 0.125]);
  close(frequencies({ rope_theta: 16, partial_rotary_factor: 0.5 }), [1, 0.25]);
});

test("the older form of a configuration says the same as the newer", () => {
  const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
  const pairs: [Record<string, unknown>, Record<string, unknown>, Partial<RopeOptions>?][] = [
    [{ rope_theta: 50 }, { rope_parameters: { rope_type: "default", rope_theta: 50 } }],
    [
      { rope_theta: 50, rope_scaling: { type: "linear", factor: 4 } },
      { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 50 } },
    ],
    [
      { rope_theta: 100, rope_scaling: { rope_type: "llama3", ...llama3 } },
      { rope_parameters: { rope_type: "llama3", rope_theta: 100, ...llama3 } },
    ],
    [{}, { rope_parameters: { rope_theta: 50, partial_rotary_factor: 0.5 } }, { theta: 50, share: 0.5 }],
  ];
  for (const [older, newer, options] of pairs) assert.equal(frequencies(older, options), frequencies(newer, options));
});

test("Llama 3 keeps short waves, stretches long ones and mixes between", () => {
  const scaling = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  };
  const plain = frequencies({ rope_theta: 100 });
  const scaled = frequencies({ rope_theta: 100, rope_scaling: scaling });
  assert.is(at(scaled, 0), at(plain, 0));
  assert.ok(at(scaled, 1) < at(plain, 1) && at(scaled, 1) > at(plain, 1) / 8);
  close(scaled.slice(3), [at(plain, 3) / 8]);
});

/** The pair of 8 elements that turns so often in 1024 positions, of base 10000. */
const pairOf = (turns: number): number => (8 * Math.log(1024 / (turns * 2 * Math.PI))) / (2 * Math.log(10000));

test("YaRN keeps short waves, stretches long ones by the index of the pair, and scales by its temperature", () => {
  const scaling = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 1024, beta_fast: 10, beta_slow: 2 };
  const { frequencies: scaled, amplitude } = rotary({ rope_theta: 10000, rope_scaling: scaling });
  // turns in 1024 positions: 163, 16, 1.6, 0.16; the bounds lie at the pairs 1.21 and 1.91, rounded to 1 and 2
  close([...scaled], [1, 0.1, 0.01 / 4, 0.001 / 4]);
  close([amplitude ?? 0], [0.1 * Math.log(4) + 1]);
  const exact = rotary({ rope_theta: 10000, rope_scaling: { ...scaling, truncate: false, beta_slow: 0.5 } });
  const [low, high] = [pairOf(10), pairOf(0.5)];
  const mixed = (2 - low) / (high - low);
  close([...exact.frequencies], [1, 0.1, mixed * (0.01 / 4) + (1 - mixed) * 0.01, 0.001 / 4]);
  // where its factor is null, by the two context lengths; an explicit factor on cosines and sines goes first
  const implicit = { ...scaling, factor: null, attention_factor: 1.25 };
  const byLengths = rotary({ rope_theta: 10000, rope_scaling: implicit, max_position_embeddings: 4096 });
  assert.equal(byLengths.frequencies, scaled);
  assert.is(byLengths.amplitude, 1.25);
});

test("LongRoPE divides each frequency by its own factor, for long texts by another", () => {
  const scaling = { type: "longrope", short_factor: [1, 2, 2, 4], long_factor: [2, 4, 8, 16] };
  const config = { rope_scaling: scaling, max_position_embeddings: 512, original_max_position_embeddings: 64 };
  const { frequencies: short, long, amplitude } = rotary(config);
  close([...short], [1, 0.05, 0.005, 0.00025]);
  close([...(long?.frequencies ?? [])], [0.5, 0.025, 0.00125, 0.0000625]);
  assert.is(long?.beyond, 64);
  close([amplitude ?? 0], [Math.sqrt(1 + Math.log(8) / Math.log(64))]);
  const older = { ...config, rope_scaling: { ...scaling, type: "su" } };
  assert.equal(rotary(older, { types: { su: "longrope" } }), rotary(config));
  const tables = [64, 65].map((length) => at(rotaryTables(rotary(config), length).sines, 4 + 1) / (amplitude ?? NaN));
  close(tables, [Math.sin(0.05), Math.sin(0.025)]);
  const short3 = { ...config, rope_scaling: { ...scaling, short_factor: [1, 2, 2] } };
  assert.throws(() => rotary(short3), /rope_scaling\.short_factor must be 4 numbers, one a frequency, not \[1,2,2\]/);
});

for (const type of ["dynamic", "proportional", "mrope", "su", "constructor"]) {
  test(`scaling ${type} is refused by name`, () => {
    try {
      frequencies({ rope_scaling: { type, factor: 2 } });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FailedPreconditionError);
      assert.match(
        String(error),
        `rope_scaling.type "${type}" is not supported; supported: default, linear, llama3, yarn, longrope`,
      );
    }
  });
}

test("a scaling without its factor, and a share that turns half a pair, are refused", () => {
  assert.throws(() => frequencies({ rope_scaling: { type: "linear" } }), /rope_scaling\.factor must be above 0, not absent/);
  assert.throws(() => frequencies({ partial_rotary_factor: 0.4 }), /3 of 8 elements of a head would turn/);
  assert.throws(() => frequencies({ rope_scaling: { type: "yarn" } }), /rope_scaling\.factor must be above 0, or null/);
  assert.throws(() => frequencies({ rope_theta: null }), /rope_theta must be above 0, not absent/);
});

test.run();
