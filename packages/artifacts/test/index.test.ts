import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as artifacts from "@mbs/artifacts";

const test = suite("public names");

test("they are these", () => {
  assert.equal(Object.keys(artifacts).toSorted(), [
    "ArtifactStore",
    "RunManifest",
    "Spool",
    "addressOnTheWay",
    "artifactKinds",
    "contentAddress",
    "decodeFlight",
    "decodeStream",
    "encodeFactors",
    "encodeFiles",
    "encodeFlight",
    "encodeLayers",
    "encodeSchemaMessage",
    "encodeScores",
    "encodeSegments",
    "encodeSimilarities",
    "encodeStates",
    "encodeStatistics",
    "encodeStream",
    "manifestKey",
    "openArtifact",
    "parseMetadata",
    "readFactors",
    "readFiles",
    "readLayers",
    "readScores",
    "readSegments",
    "readSimilarities",
    "readStates",
    "readStatistics",
    "requireKind",
    "unpackFiles",
    "withLock",
    "writeArtifact",
  ]);
});

test.run();
