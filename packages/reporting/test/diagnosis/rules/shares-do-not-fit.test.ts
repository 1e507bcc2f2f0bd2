import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { collectArtifacts, ofKind } from "../../../src/collected.ts";
import { diagnoseArtifacts } from "../../../src/diagnosis/diagnose.ts";
import { applyRule } from "../../../src/diagnosis/rules/rule.ts";
import { sharesDoNotFit } from "../../../src/diagnosis/rules/shares-do-not-fit.ts";
import type { SharesAgainstLosses } from "../../../src/diagnosis/shares-against-losses.ts";
import { controlledResults } from "../../controlled-results.ts";

const language = (
  name: string,
  share: number,
  predicted: number,
  doubtful = false,
): SharesAgainstLosses["languages"][number] => ({
  language: name,
  share,
  predicted,
  factor: share / predicted,
  doubtful,
});
const fits: SharesAgainstLosses = {
  languages: [language("en", 60, 50), language("fr", 30, 40), language("te", 10, 8)],
  correlation: { value: -0.9, p: 0.001 },
  verdict: "fits",
};

const check = (fit: SharesAgainstLosses) => applyRule(sharesDoNotFit, { reference: "dense", fit });

test("shares that go with the losses are no finding", () => {
  assert.is(check(fits), undefined);
  assert.is(check({ ...fits, verdict: "unclear" }), undefined);
});

test("a language whose share its loss contradicts is named with both shares", () => {
  const odd = { ...fits, languages: [language("en", 60, 50), language("fr", 30, 40), language("te", 10, 1, true)] };
  const finding = check(odd);
  assert.is(
    finding?.title,
    "The training share of te may be off: it does not go with the losses of dense, as the shares do on the whole.",
  );
  assert.ok(finding?.texts.some((text) => text.startsWith("te: 10% of the training by the distribution, 1.0% by its loss")));
  assert.equal(finding?.languages, ["te"]);
  assert.ok(finding?.evidence.some(({ unit, value, significant }) => unit === "factor" && value === 10 && significant));
});

test("a correlation the wrong way is a contradiction, whichever languages are doubtful", () => {
  const finding = check({ ...fits, verdict: "contradicts", correlation: { value: 0.9, p: 0.002 } });
  assert.match(finding?.title ?? "", /contradict the losses of dense/);
  assert.equal(finding?.languages, []);
});

test("the comparison is asked with the shares and the dense model's bits a byte, and only then is it among what was looked for", async () => {
  const artifacts = await collectArtifacts(await controlledResults());
  const { records, metadata } = at(ofKind(artifacts, "scores"), 0);
  assert.not.ok(diagnoseArtifacts(artifacts).checked.includes("distribution-does-not-fit"));
  const diagnosis = diagnoseArtifacts(artifacts, {}, (shares, losses) => {
    assert.equal(shares, metadata.shares);
    const own = records.filter((score) => score.model === "dense" && score.language === "te");
    const bits = own.reduce((sum, { nll }) => sum + nll, 0) / Math.LN2;
    assert.ok(Math.abs((losses["te"] ?? NaN) - bits / own.reduce((sum, { bytes }) => sum + bytes, 0)) < 1e-12);
    return { ...fits, verdict: "contradicts" };
  });
  assert.ok(diagnosis.checked.includes("distribution-does-not-fit"));
  assert.ok(diagnosis.findings.some(({ signature }) => signature === "distribution-does-not-fit"));
});

test.run();
