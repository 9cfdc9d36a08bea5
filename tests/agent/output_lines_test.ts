import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { MAX_LINE_LENGTH, neutralised, OutputLines } from "../../src/agent/output_lines.ts";

function linesOf(...pieces: (string | Uint8Array)[]): string[] {
  const lines = new OutputLines();
  const bytes = pieces.map((piece) => typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  return [...bytes.flatMap((piece) => lines.push(piece)), ...lines.end()];
}

Deno.test("OutputLines: splits on LF, CR and CRLF, and leaves empty lines out", () => {
  assertEquals(linesOf("a\nb\r\nc\rd\n\n\re"), ["a", "b", "c", "d", "e"]);
  assertEquals(linesOf("\rSent: 1%\rSent: 2%", "\r", "Sent: 3%\nFirmware sent to IoT\n"), [
    "Sent: 1%",
    "Sent: 2%",
    "Sent: 3%",
    "Firmware sent to IoT",
  ]);
});

Deno.test("OutputLines: joins what arrives in pieces, characters of several bytes too", () => {
  const bytes = new TextEncoder().encode("temp \u00b0C\n");
  assertEquals(linesOf(...Array.from(bytes, (byte) => Uint8Array.of(byte))), ["temp \u00b0C"]);
  assertEquals(linesOf(Uint8Array.of(0x61, 0xff, 0x0a)), ["a\ufffd"]);
});

Deno.test("OutputLines: a line without an end is bounded, and says what it lost", () => {
  const [line = "", ...more] = linesOf(..."x".repeat(30).split("").map((x) => x.repeat(1000)));
  assertEquals(more, []);
  assertEquals(line, "x".repeat(MAX_LINE_LENGTH) + " [20000 characters left out]");
});

Deno.test("OutputLines: nothing that acts on a terminal passes", () => {
  assertEquals(linesOf("\x1b[2J\x1b]0;title\x07red\x9b31m\u202egnp.exe\x00\u2028\n"), [
    "\ufffd[2J\ufffd]0;title\ufffdred\ufffd31m\ufffdgnp.exe\ufffd\ufffd",
  ]);
  assertEquals(neutralised("a\tb"), "a b");
});

Deno.test("OutputLines: any bytes in any pieces give bounded lines that show and do not act", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
      for (const line of linesOf(...pieces)) {
        assert(line.length <= MAX_LINE_LENGTH + 40);
        assertMatch(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u);
      }
    }),
    { seed: 10, numRuns: 1_000 },
  );
});
