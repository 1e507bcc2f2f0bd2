import {
  addressOnTheWay,
  collect,
  contentAddress,
  decodeFlight,
  decodeStream,
  encodeFlight,
  encodeSegments,
  encodeStream,
  type ArtifactKind,
} from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inChunks, encodeWhole, rebatch, samples, segments } from "./samples.ts";

const test = suite("content address");

const small: readonly ArtifactKind[] = ["segments", "factors", "scores", "similarity", "files"];
const metadata = { tokenizer: "", corpus: "", distribution: "", length: 1, seed: 0, mix: "", counts: {}, shortfall: {} };

test("the split into batches does not change it", async () => {
  for (const kind of small) {
    const { address, rows } = await contentAddress(samples[kind].encode());
    for (const sizes of [[1], [2], [1, 3], [1000]]) {
      const again = await contentAddress(await rebatch(samples[kind].encode(), sizes));
      assert.is(again.address, address);
      assert.is(again.rows, rows);
    }
  }
});

test("encoder, decoder, Flight and a plain reading agree on it", async () => {
  for (const kind of small) {
    const { address } = await contentAddress(samples[kind].encode());
    const encoded = encodeStream(samples[kind].encode());
    await collect(encoded.bytes);
    assert.is((await encoded.receipt).address, address);
    const decoded = await decodeStream(inChunks(await encodeWhole(samples[kind].encode()), 100));
    await collect(decoded.batches);
    assert.is((await decoded.receipt).address, address);
    const flown = await decodeFlight(encodeFlight(samples[kind].encode()));
    await collect(flown.batches);
    assert.is((await flown.receipt).address, address);
  }
});

test("it does not change from one version of the program to the next", async () => {
  const [first, second] = segments;
  assert.ok(first && second);
  const all = [first, { ...second, tokens: Int32Array.of(2 ** 31 - 1, -1) }];
  const { address } = await contentAddress(encodeSegments(all, { ...metadata, counts: { en: 1 } }));
  assert.is(address, "cdc219fb3d6248860a85fdf91d0af914c38271e3ef750824188331d4e57544a3");
});

test("an address that is known is not computed again", async () => {
  const encoded = encodeSegments(segments, metadata);
  const addressed = addressOnTheWay({ ...encoded, address: "known" });
  for await (const batch of addressed.stream.batches) assert.ok(batch.rows > 0);
  assert.equal(addressed.receipt(), { address: "known", rows: segments.length, batches: 1 });
});

test("every difference in schema, metadata, values or their borders changes it", async () => {
  const of = async (changed: readonly (typeof segments)[number][], seed = 0) =>
    (await contentAddress(encodeSegments(changed, { ...metadata, seed }))).address;
  const [first, second] = segments;
  assert.ok(first && second);
  const addresses = [
    await of(segments),
    await of(segments, 1),
    await of([second, first]),
    await of([first]),
    await of([{ ...first, language: "fr" }, second]),
    await of([{ ...first, documents: 3 }, second]),
    await of([
      { ...first, tokens: Int32Array.of(5, 6) },
      { ...second, tokens: Int32Array.of(7, ...second.tokens) },
    ]),
    await of([
      { ...first, language: `${first.language}${second.language}` },
      { ...second, language: "" },
    ]),
    (
      await contentAddress({
        ...encodeSegments(segments, metadata),
        schema: { ...encodeSegments([], metadata).schema, version: 1 },
      })
    ).address,
  ];
  assert.is(new Set(addresses).size, addresses.length);
});

test.run();
