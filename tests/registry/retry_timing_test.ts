import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RegistryError } from "../../src/registry/registry_error.ts";
import {
  ATTEMPT_LIMIT,
  isPassingStatus,
  parseRetryAfter,
  retryDecision,
} from "../../src/registry/retry_timing.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");

Deno.test("parseRetryAfter: seconds, dates, absurdities", () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ["0", 0],
    ["5", 5000],
    [" 7 ", 7000],
    ["60", 60_000],
    ["600", 60_000],
    ["3600", 60_000],
    ["3601", undefined],
    ["1763899200", undefined],
    ["999999999999999999", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["", undefined],
    ["Mon, 23 Nov 2026 12:00:03 GMT", 3000],
    ["Mon, 23 Nov 2026 11:00:00 GMT", 0],
    ["Mon, 23 Nov 2026 12:30:00 GMT", 60_000],
    ["Mon, 23 Nov 2027 12:00:00 GMT", undefined],
    ["Monday, 23-Nov-26 12:00:03 GMT", 3000],
  ];
  for (const [value, expected] of table) assertEquals(parseRetryAfter(value, NOW), expected, value);
});

Deno.test("parseRetryAfter: any text gives a wait of at most a minute, or none", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.date().map(String), fc.integer().map(String)), (value) => {
      const wait = parseRetryAfter(value, NOW);
      assert(wait === undefined || (wait >= 0 && wait <= 60_000));
    }),
    { seed: 20264, numRuns: 500 },
  );
});

Deno.test("isPassingStatus: exactly those that may pass", () => {
  const passing = Array.from({ length: 500 }, (_, index) => index + 100).filter(isPassingStatus);
  assertEquals(passing, [408, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]);
});

Deno.test("retryDecision: backs off, obeys Retry-After, stops", () => {
  const passing = new RegistryError("registry-failure", "x", { retryable: true });
  const at = (attempt: number, failure: unknown = passing) =>
    retryDecision(attempt, failure, { now: NOW, random: 1 });
  assertEquals(
    [1, 2, 3, 4].map((attempt) => at(attempt)),
    [500, 1000, 2000, 4000].map((retryAfter) => ({ retryAfter })),
  );
  assertEquals(at(ATTEMPT_LIMIT), "stop");
  assertEquals(at(1, new RegistryError("rate-limited", "x", { retryable: true, retryAfter: "3" })), {
    retryAfter: 3000,
  });
  assertEquals(at(1, new RegistryError("rate-limited", "x", { retryable: true, retryAfter: "1763899200" })), {
    retryAfter: 500,
  });
  // a date that has passed, or none to wait, does not use up the tries at once
  for (const retryAfter of ["Mon, 23 Nov 2026 11:00:00 GMT", "0"]) {
    const limited = new RegistryError("rate-limited", "x", { retryable: true, retryAfter });
    assertEquals([at(1, limited), at(4, limited)], [{ retryAfter: 500 }, { retryAfter: 4000 }]);
  }
  assertEquals(at(1, new RegistryError("not-found", "x")), "stop");
  assertEquals(at(1, new TypeError("x")), "stop");
});
