import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { finalLine, type JobReport, terminationMessage } from "../../src/report/job_report.ts";

const FAILED: JobReport = {
  outcome: "transfer-broken",
  code: 26,
  message: "Cannot send the firmware: the device closed after 10 bytes.",
  remedy: "Check the radio link",
  warnings: [],
  reference: "registry.example/team/thermo:1.1",
  durations: { total: 1 },
};

const UPDATED: JobReport = {
  outcome: "updated",
  code: 0,
  message: "Updated esp32s3 at 10.0.0.1:80 from 1.0.0 to 1.1.0",
  warnings: ["one"],
  reference: "registry.example/team/thermo:1.1",
  image: { manifestDigest: `sha256:${"a".repeat(64)}`, platform: "custom/esp32s3" },
  file: { path: "firmware/app.bin", size: 1_300_000, sha256: "b".repeat(64) },
  device: { address: "10.0.0.1:80", chip: "esp32s3", before: "1.0.0", after: "1.1.0" },
  durations: { total: 1 },
};

Deno.test("finalLine: what happened, to what, and what to do", () => {
  assertEquals(
    finalLine(FAILED),
    "FAILED transfer-broken (exit 26): Cannot send the firmware: the device closed after 10 bytes. Check the radio link.",
  );
  assertEquals(
    finalLine(UPDATED),
    `OK updated: Updated esp32s3 at 10.0.0.1:80 from 1.0.0 to 1.1.0. [1.3 MB, sha256 ${"b".repeat(64)}]`,
  );
  const { remedy: _, ...bare } = FAILED;
  assertEquals(
    finalLine({ ...bare, outcome: "interrupted", code: 130, message: "Stopped by SIGINT" }),
    "FAILED interrupted (exit 130): Stopped by SIGINT.",
  );
});

/** Text as hostile as it comes: any unit, halves of pairs, controls. */
const HOSTILE = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6000 }),
  fc.array(
    fc.constantFrom("\u0000", "\x1b[2J", "\n", "\r", "\ud800", "\udc00", "\u202e", "😀", "é", '"', "\\", "x"),
    {
      maxLength: 6000,
    },
  ).map((parts) => parts.join("")),
);

Deno.test("finalLine: it is one line in which nothing acts, whatever the message", () => {
  fc.assert(
    fc.property(HOSTILE, fc.boolean(), (message, ok) => {
      const line = finalLine({ ...(ok ? UPDATED : FAILED), message });
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(line));
      assert(line.startsWith(ok ? "OK updated: " : "FAILED transfer-broken (exit 26): "));
    }),
    { seed: 20268, numRuns: 200 },
  );
});

Deno.test("terminationMessage: compact JSON with what an operator needs", () => {
  const { warnings: _, durations: __, ...kept } = UPDATED;
  assertEquals(JSON.parse(terminationMessage(UPDATED)), kept);
  assertEquals(JSON.parse(terminationMessage(FAILED)).remedy, "Check the radio link");
});

Deno.test("terminationMessage: valid UTF-8 and JSON of at most 4096 bytes, with outcome, code and message, for any content", () => {
  fc.assert(
    fc.property(HOSTILE, HOSTILE, HOSTILE, (message, reference, version) => {
      const report: JobReport = {
        ...UPDATED,
        ...FAILED,
        message,
        reference,
        warnings: [message, message],
        device: { address: "10.0.0.1:80", chip: "esp32s3", before: version },
      };
      const text = terminationMessage(report);
      const bytes = new TextEncoder().encode(text);
      assert(bytes.length <= 4096, `${bytes.length}`);
      assertEquals(new TextDecoder("utf-8", { fatal: true }).decode(bytes), text);
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text));
      const parsed = JSON.parse(text);
      assertEquals([parsed.outcome, parsed.code], ["transfer-broken", 26]);
      assertEquals(typeof parsed.message, "string");
      assert(message === "" || parsed.message !== "");
    }),
    { seed: 20269, numRuns: 200 },
  );
});

Deno.test("terminationMessage: a long message keeps its beginning and says that it was cut", () => {
  const message = `Cannot pull: ${"é".repeat(5000)}`;
  const text = terminationMessage({ ...FAILED, message });
  const parsed = JSON.parse(text);
  assertStringIncludes(parsed.message, "Cannot pull: éééé");
  assert(parsed.message.endsWith("..."));
  assert(new TextEncoder().encode(text).length > 1500);
});
