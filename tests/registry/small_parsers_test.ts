import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { continues, parseContentRange } from "../../src/registry/content_range.ts";
import { essence } from "../../src/registry/media_types.ts";
import { shownText, shownUrl } from "../../src/registry/registry_error.ts";
import { parseWarnings, ShownWarnings } from "../../src/registry/server_warnings.ts";

Deno.test("continues: only the exact rest of the content", () => {
  const table: readonly (readonly [string | null, boolean])[] = [
    ["bytes 5-9/10", true],
    ["bytes 5-9/*", true],
    ["Bytes 5-9/10", true],
    [null, false],
    ["", false],
    ["bytes 0-9/10", false],
    ["bytes 4-9/10", false],
    ["bytes 6-9/10", false],
    ["bytes 5-8/10", false],
    ["bytes 5-9/11", false],
    ["bytes 5-10/11", false],
    ["bytes 9-5/10", false],
    ["bytes */10", false],
    ["items 5-9/10", false],
    ["bytes 5-9/10, bytes 0-1/10", false],
    ["bytes 05-09/010x", false],
  ];
  for (const [header, expected] of table) {
    assertEquals(continues(parseContentRange(header), 5, 10), expected, String(header));
  }
});

Deno.test("parseWarnings: code 299 only, several, escaped, harmless to a terminal", () => {
  assertEquals(parseWarnings(null), []);
  assertEquals(parseWarnings('299 - "one", 299 - "t\\"wo"'), ["one", 't"wo']);
  assertEquals(parseWarnings('199 - "other", 299 host "named"'), []);
  assertEquals(parseWarnings('299 - "\u001b[2J\u202eevil"'), ["[2J evil"]);
});

Deno.test("ShownWarnings: each once, and not endlessly many", () => {
  const shown = new ShownWarnings();
  assertEquals(shown.unseen('299 - "a"'), ["a"]);
  assertEquals(shown.unseen('299 - "a", 299 - "b"'), ["b"]);
  const many = Array.from({ length: 100 }, (_, index) => shown.unseen(`299 - "w${index}"`)).flat();
  assertEquals(many.length, 14);
});

Deno.test("essence: parameters and case do not count", () => {
  assertEquals(essence("Application/JSON; charset=utf-8"), "application/json");
  assertEquals(essence(""), undefined);
  assertEquals(essence(null), undefined);
});

Deno.test("shownUrl: neither userinfo nor query nor fragment", () => {
  assertEquals(shownUrl(new URL("https://u:p@h.example:8443/a/b?X-Sig=s#f")), "https://h.example:8443/a/b");
});

Deno.test("shownText: one bounded line of any text", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 0x2fff }), { maxLength: 80 }).map((codes) =>
        String.fromCharCode(...codes)
      ),
      (text) => {
        const shown = shownText(text, 50);
        assert(shown.length <= 51);
        assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(shown));
      },
    ),
    { seed: 20265, numRuns: 300 },
  );
});
