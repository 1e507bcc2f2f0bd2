import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Places } from "../src/server/places.ts";

const test = suite("places");

test("one client gets no more than its places, all clients no more than there are, and a place is given back", () => {
  const places = new Places("calls", 3, 2);
  const ofOne = [places.take("one"), places.take("one")];
  assert.throws(
    () => places.take("one"),
    /^2 calls of yours are open, as many as this server takes of one client; call again later$/,
  );
  const leave = places.take("two");
  assert.throws(() => places.take("three"), /^3 calls are open, as many as this server takes; call again later$/);
  leave();
  places.take("three");
  for (const end of ofOne) end();
  places.take("one");
  places.take("two");
  assert.throws(() => places.take("one"), /^3 calls are open/);
});

test.run();
