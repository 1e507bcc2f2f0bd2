/**
 * Compares llama.cpp with this project on a GGUF file: perplexity.ts LLAMA MODEL.gguf SEGMENTS.arrow [COUNT] [SOURCE]
 *
 * Scores the first COUNT segments of each language (default 4), as `mbs sample` writes them, by llama.cpp on the file as it is,
 * and by our forward pass on its dequantised values, or on SOURCE, for a file in F32 that we do not read. Fails where the
 * perplexity of a language differs by 0.5% or more, or where llama.cpp's tokens of a segment's text are not ours.
 */
import { collect, openArtifact, readSegments } from "@mbs/artifacts";
import { openModel, runBlocks } from "@mbs/models";
import { openLlama } from "./llama.ts";

/** Relative difference of perplexities that counts as the same: activations are rounded to 8 bits in llama.cpp's products. */
const allowed = 0.005;

const [folder, path, segmentsPath, most = "4", source] = process.argv.slice(2);
if (folder === undefined || path === undefined || segmentsPath === undefined) {
  throw new Error("perplexity.ts LLAMA MODEL.gguf SEGMENTS.arrow [COUNT] [SOURCE]");
}
const segments = await collect(readSegments(await openArtifact(segmentsPath)));
const languages = [...new Set(segments.map(({ language }) => language))];
const llama = openLlama(folder, path);
const model = await openModel(source ?? path);
const tokenizer = await model.tokenizer();
const passages = await model.passages();
const forward = await model.forward({ threads: 1 });

for (const language of languages) {
  const own = segments.filter((segment) => segment.language === language).slice(0, Number(most));
  let [theirs, ours, count, differing] = [0, 0, 0, 0];
  for (const segment of own) {
    // models that were trained with a first token give it most of the attention: without it nothing is as it should be
    const tokens = tokenizer.bos === undefined ? segment.tokens : Int32Array.of(tokenizer.bos, ...segment.tokens);
    theirs += llama.score(tokens);
    const { inputs, scored } = passages.ofSegment(tokens, [segment.segment]);
    ours += (await forward.score(await runBlocks(model, forward, inputs), scored)).reduce((sum, nats) => sum + nats, 0);
    count += tokens.length - 1;
    const text = tokenizer.decode(segment.tokens);
    if (llama.tokenize(text).join() !== [...tokenizer.encode(text)].join()) differing += 1;
  }
  const [one, other] = [Math.exp(theirs / count), Math.exp(ours / count)];
  const apart = one / other - 1;
  const isWrong = !(Math.abs(apart) < allowed) || differing > 0;
  if (isWrong) process.exitCode = 1;
  console.log(
    `${language}: llama.cpp ${one.toFixed(4)}, ours ${other.toFixed(4)}, ${(100 * apart).toFixed(3)}%; ${differing} of ${own.length} texts have other tokens`,
  );
}
await forward.close();
await model.close();
llama.close();
