import { assertEquals, assertMatch } from "@std/assert";
import { ClassicPhases, type ConnectedPeers } from "../../src/agent/classic_phases.ts";

const limits = { dialIn: 1_000, attestation: 500, transferIdle: 200 };
const device = "10.0.0.5";
const stranger = "10.0.0.6";

/** What is seen at which time: connected peers, or "sent" for a progress line; the verdict after the last. */
type Seen = readonly [now: number, seen: ConnectedPeers | "sent"];

const TABLE: readonly (readonly [name: string, seen: readonly Seen[], code: string | undefined])[] = [
  ["nobody, in time", [[999, []]], undefined],
  ["nobody, too late", [[500, []], [999, []], [1_000, []]], "never-dialled"],
  [
    "somebody who is missed once, too late for the dial",
    [[900, [device]], [1_100, []], [1_101, []]],
    undefined,
  ],
  ["the system does not tell, in time for both phases", [[1_499, undefined]], undefined],
  ["the system does not tell, too late for both", [[1_500, undefined]], "never-dialled"],
  ["the system does not tell, sending", [[1_400, "sent"], [1_599, undefined]], undefined],
  ["connected, in time", [[900, [device]], [1_399, [device]]], undefined],
  ["connected, nothing sent", [[900, [device]], [1_400, [device]]], "attestation-unavailable"],
  ["a stranger holds the place", [[900, [stranger]], [1_400, [stranger]]], "never-dialled"],
  [
    "a stranger beside the device",
    [[900, [stranger, device]], [1_400, [stranger, device]]],
    "attestation-unavailable",
  ],
  [
    "a stranger first, then the device behind it",
    [[800, [stranger]], [900, [stranger, device]], [1_300, [stranger, device]]],
    "never-dialled",
  ],
  [
    "the device first, then a stranger behind it",
    [[800, [device]], [900, [stranger, device]], [1_300, [stranger, device]]],
    "attestation-unavailable",
  ],
  [
    "the device has all its time when the stranger before it has gone",
    [[800, [stranger]], [1_200, [stranger, device]], [1_250, [device]], [1_700, [device]]],
    undefined,
  ],
  [
    "failed handshakes come and go",
    [[100, [stranger]], [400, []], [500, [device]], [999, [device]]],
    undefined,
  ],
  ["gone again, too late", [[900, [device]], [1_100, []], [1_101, []], [1_102, []]], "never-dialled"],
  ["sending", [[900, [device]], [1_000, "sent"], [1_150, "sent"], [1_349, [device]]], undefined],
  ["sending stands still", [[1_000, "sent"], [1_200, [device]]], "transfer-broken"],
  [
    "sending stands still, the system does not tell",
    [[1_000, "sent"], [1_200, undefined]],
    "transfer-broken",
  ],
];

for (const [name, seen, code] of TABLE) {
  Deno.test(`ClassicPhases: ${name}: ${code ?? "goes on"}`, () => {
    const phases = new ClassicPhases(limits, { now: 0, deviceAddress: device });
    let verdict;
    for (const [now, what] of seen) {
      if (what === "sent") phases.hear({ kind: "sending", detail: "Sent: 1%" }, now);
      else verdict = phases.overdue(what, now);
    }
    assertEquals(verdict?.code, code);
  });
}

Deno.test("ClassicPhases: an unknown device's address is no reason to call its connection a stranger's", () => {
  const phases = new ClassicPhases(limits, { now: 0, deviceAddress: undefined });
  phases.overdue([stranger], 0);
  assertEquals(phases.overdue([stranger], 500)?.code, "attestation-unavailable");
});

Deno.test("ClassicPhases: who holds the place is named, and the attestation server only where it can be the reason", () => {
  const wordsOf = (...seen: readonly (readonly string[])[]): string => {
    const phases = new ClassicPhases(limits, { now: 0, deviceAddress: device });
    seen.forEach((peers) => phases.overdue(peers, 0));
    return phases.overdue(seen.at(-1) ?? [], 500)?.message ?? "";
  };
  assertMatch(
    wordsOf([stranger], [stranger, device]),
    /'10\.0\.0\.6' holds .* the device waits behind it, make sure that nobody else dials$/,
  );
  assertMatch(
    wordsOf([stranger]),
    /'10\.0\.0\.6' holds .* the device is not there, .* behind another address, that the attestation server answers$/,
  );
  assertMatch(
    wordsOf([device], [device, stranger]),
    /'10\.0\.0\.5' holds .* attestation server answers and that nobody/,
  );
});
