import { assertEquals } from "@std/assert";
import { type ExpectedDevice, judgeIdentity } from "../../src/ota_agent/identity.ts";

const same = "ab".repeat(32);
const presented = { certificateSha256: same, address: "10.0.0.5" };

/** Expected certificate and address: `+` the presented one, `-` another, blank unknown; then auto and require. */
const TABLE: readonly (readonly [string, string, string, string])[] = [
  ["+", "+", "device by certificate", "device by certificate"],
  ["+", "-", "device by certificate", "device by certificate"],
  ["+", "", "device by certificate", "device by certificate"],
  ["-", "+", "other", "other"],
  ["-", "-", "other", "other"],
  ["-", "", "other", "other"],
  ["", "+", "device by address", "device by address"],
  ["", "-", "device by nothing, warned", "other"],
  ["", "", "device by nothing", "other"],
];

Deno.test("judgeIdentity: the whole table", () => {
  for (const [certificate, address, auto, required] of TABLE) {
    for (const require of [false, true]) {
      const expected: ExpectedDevice = {
        require,
        ...(certificate === ""
          ? {}
          : { certificateSha256: certificate === "+" ? same.toUpperCase() : "cd".repeat(32) }),
        ...(address === "" ? {} : { address: address === "+" ? presented.address : "10.0.0.6" }),
      };
      const verdict = judgeIdentity(presented, expected);
      const words = verdict.kind === "other"
        ? "other"
        : `device by ${verdict.by}${verdict.warning === undefined ? "" : ", warned"}`;
      assertEquals(words, require ? required : auto, JSON.stringify(expected));
    }
  }
  assertEquals(judgeIdentity(presented, undefined), { kind: "device", by: "nothing" });
});
