// Writes states again and again over the artifact at the path given, until it is killed.
import { encodeStates, writeArtifact } from "@mbs/artifacts";

const [, , path] = process.argv;
if (path === undefined) throw new Error("usage: writer-child PATH");
const values = new Float32Array(256 * 256).fill(1);
process.stdout.write("started\n");
for (let turn = 0; ; turn++) {
  const states = Array.from({ length: 8 }, (_, segment) => ({
    segment,
    language: "en",
    stream: "hidden",
    rows: 256,
    width: 256,
    values,
  }));
  await writeArtifact(encodeStates(states, { model: `${turn}`, tokenizer: "", blocks: 0, layers: [] }), path, { force: true });
}
