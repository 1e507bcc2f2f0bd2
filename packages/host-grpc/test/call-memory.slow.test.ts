import { json } from "node:stream/consumers";
import { getHeapSnapshot } from "node:v8";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withServer } from "./fixtures/fake-server.ts";
import { all, errorOf } from "./fixtures/flight-client.ts";

const test = suite("memory of calls");

interface HeapSnapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[] } };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** How many references to signals there are, after a collection of garbage. */
async function countReferences(): Promise<number> {
  const { snapshot, nodes, strings } = (await json(getHeapSnapshot())) as HeapSnapshot;
  const fields = snapshot.meta.node_fields;
  const name = fields.indexOf("name");
  return nodes.filter((value, index) => index % fields.length === name && strings[value] === "WeakRef").length;
}

test("a server keeps nothing of calls that are over", () =>
  withServer({}, async ({ client }) => {
    const call = (): Promise<unknown> => errorOf(all(client.get("1".repeat(64))));
    await call();
    const before = await countReferences();
    for (let number = 0; number < 500; number++) await call();
    // AbortSignal.any of Node.js 20 left one of each call in the signal of the server's end
    const more = (await countReferences()) - before;
    assert.ok(more < 100, `${more} more references`);
  }));

test.run();
