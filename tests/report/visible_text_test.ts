import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { visibleJson, visibleText } from "../../src/report/visible_text.ts";

Deno.test("visibleText: what acts is written as its escape, the rest stays", () => {
  const table: [string, string][] = [
    ["plain ünïcode 😀 \\n", "plain ünïcode 😀 \\n"],
    ["a\nb\r\tc", "a\\nb\\r\\tc"],
    ["\x1b[31m", "\\u001b[31m"],
    ["\x00\x7f\x9b", "\\u0000\\u007f\\u009b"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["\u202eabc\u2066\u200b", "\\u202eabc\\u2066\\u200b"],
    ["\ud800x\udc00", "\\ud800x\\udc00"],
    ["\u{e0001}", "\\udb40\\udc01"],
  ];
  for (const [text, visible] of table) assertEquals(visibleText(text), visible);
});

Deno.test("visibleJson: the same value, and nothing acts in it", () => {
  fc.assert(
    fc.property(fc.record({ a: fc.string({ unit: "binary" }), b: fc.jsonValue() }), (value) => {
      const text = visibleJson(value);
      assertEquals(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text));
    }),
    { seed: 20270, numRuns: 1000 },
  );
  assertEquals(
    visibleJson({ a: "\x9b\u2028\u202e\u{e0001}" }),
    '{"a":"\\u009b\\u2028\\u202e\\udb40\\udc01"}',
  );
});
