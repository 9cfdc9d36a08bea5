import { assert, assertEquals } from "@std/assert";
import {
  type ConfirmationFacts,
  type ConfirmationVerdict,
  judgeConfirmation,
  sameVersion,
} from "../../src/device/confirmation.ts";
import type { InfoReading } from "../../src/device/device_client.ts";

const SOURCE = new URL("../../src/device/confirmation.ts", import.meta.url);

const SILENT: InfoReading = { kind: "silent", found: "no answer in time", sign: "nothing" };
const ABSENT: InfoReading = { kind: "absent", found: "HTTP 404" };

function info(version?: string, device?: string): InfoReading {
  return {
    kind: "info",
    info: {
      cut: version === undefined,
      ...(version === undefined ? {} : { version }),
      ...(device === undefined ? {} : { device }),
    },
  };
}

const BEFORE = [SILENT, ABSENT, info(undefined, "esp32s3"), info("1.0.0", "esp32s3"), info("1.0.0")];
const NOW = [
  SILENT,
  ABSENT,
  info(undefined, "esp32s3"),
  info("1.1.0", "esp32c3"),
  info(undefined, "esp32c3"),
  ...["1.0.0", "v1.0.0", "1.1.0", "1.2.0", "9.9.9"].flatMap((version) => [
    info(version),
    info(version, "esp32s3"),
  ]),
];
const IMAGES = [undefined, "1.0.0", "1.1.0"];
const HINTS = [undefined, "1.0.0", "1.1.0", "1.2.0"];

/** Every combination of what can be seen and known. */
const EVERYTHING: readonly ConfirmationFacts[] = BEFORE.flatMap((before) =>
  [true, false].flatMap((restarted) =>
    NOW.flatMap((now) =>
      IMAGES.flatMap((imageVersion) =>
        HINTS.map((hint) => ({
          before,
          restarted,
          now,
          imageVersion,
          hint,
          device: "esp32s3",
          sameDevice: (left: string, right: string) => left === right,
        }))
      )
    )
  )
);

function versionOf(reading: InfoReading): string | undefined {
  return reading.kind === "info" ? reading.info.version?.replace(/^v/, "") : undefined;
}

/** What the words of the table's cells mean, column by column. */
const WORDS: Readonly<Record<string, (facts: ConfirmationFacts) => boolean>> = {
  "before: any": () => true,
  "before: version B": ({ before }) => versionOf(before) !== undefined,
  "before: no version": ({ before }) => versionOf(before) === undefined,
  "restart: any": () => true,
  "restart: seen": ({ restarted }) => restarted,
  "restart: not seen": ({ restarted }) => !restarted,
  "now: any": () => true,
  "now: silence": ({ now }) => now.kind === "silent",
  "now: another device type": ({ now }) => now.kind === "info" && now.info.device === "esp32c3",
  "now: version A, not B": ({ before, now }) =>
    versionOf(now) !== undefined && versionOf(now) !== versionOf(before),
  "now: version A": ({ now }) => versionOf(now) !== undefined,
  "now: B again": ({ before, now }) => versionOf(now) === versionOf(before),
  "now: no version": ({ now }) => versionOf(now) === undefined,
  "wanted: any": () => true,
  "wanted: A is wanted, or nothing is known": ({ now, imageVersion, hint }) =>
    [imageVersion, hint].includes(versionOf(now)) || (imageVersion === undefined && hint === undefined),
  "wanted: A is not wanted": ({ now, imageVersion, hint }) =>
    ![imageVersion, hint].includes(versionOf(now)) && (imageVersion !== undefined || hint !== undefined),
  "wanted: the image is A": ({ now, imageVersion }) => imageVersion === versionOf(now),
};

/** The rows of the table in the docstring: cells as `column: words`, and the verdict. */
async function tableOfDocstring(): Promise<{ cells: string[]; verdict: string }[]> {
  const [header = [], , ...rows] = [...(await Deno.readTextFile(SOURCE)).matchAll(/^ \* \|(.*)\|$/gm)].map((
    [, row = ""],
  ) => row.split("|").map((cell) => cell.trim()));
  return rows.map((row) => ({
    cells: row.slice(0, -1).map((cell, column) => `${header[column]}: ${cell}`),
    verdict: row.at(-1)?.replaceAll("`", "") ?? "",
  }));
}

Deno.test("judgeConfirmation: every combination gets the verdict of the first row that fits in the docstring", async () => {
  const rows = await tableOfDocstring();
  const used = new Set<number>();
  for (const facts of EVERYTHING) {
    const index = rows.findIndex(({ cells }) =>
      cells.every((cell) => {
        const holds = WORDS[cell];
        assert(holds !== undefined, `the table says '${cell}', which this test does not know`);
        return holds(facts);
      })
    );
    used.add(index);
    assertEquals(judgeConfirmation(facts), rows[index]?.verdict as ConfirmationVerdict, show(facts));
  }
  assertEquals([...used].sort((left, right) => left - right), [...rows.keys()]);
});

Deno.test("judgeConfirmation: a device that was not updated is never confirmed", () => {
  for (const facts of EVERYTHING) {
    const verdict = judgeConfirmation(facts);
    const [old, version] = [versionOf(facts.before), versionOf(facts.now)];
    // Its version is what it was, or was not told before: nothing else can be seen of it.
    const mayBeUntouched = version === undefined || old === undefined || version === old;
    if (verdict === "confirmed-new") assert(!mayBeUntouched, show(facts));
    if (verdict === "confirmed-same") {
      assert(facts.restarted && facts.imageVersion === version, show(facts));
    }
    if (!facts.restarted && mayBeUntouched) {
      assert(!["confirmed-new", "confirmed-same", "unconfirmable"].includes(verdict), show(facts));
    }
  }
});

Deno.test("judgeConfirmation: the hint alone never turns an unchanged device into success", () => {
  for (const facts of EVERYTHING) {
    const unchanged = versionOf(facts.before) === versionOf(facts.now) ||
      versionOf(facts.before) === undefined;
    if (!unchanged || facts.imageVersion !== undefined) continue;
    assert(!["confirmed-new", "confirmed-same"].includes(judgeConfirmation(facts)), show(facts));
  }
});

Deno.test("judgeConfirmation: a known version that is not the image's nor the hint's is never success", () => {
  for (const facts of EVERYTHING) {
    const version = versionOf(facts.now);
    if (version === undefined || (facts.imageVersion ?? facts.hint) === undefined) continue;
    if (version === facts.imageVersion || version === facts.hint) continue;
    const verdict = judgeConfirmation(facts);
    assert(!["confirmed-new", "confirmed-same", "unconfirmable"].includes(verdict), show(facts));
  }
});

Deno.test("sameVersion: only a leading v may differ", () => {
  const table: [string, string, boolean][] = [
    ["1.0.0", "1.0.0", true],
    ["v1.0.0", "1.0.0", true],
    ["1.0.0", "V1.0.0", true],
    ["1.0.0", "1.0", false],
    ["1.0.0", "1.0.0-rc1", false],
    ["vega", "ega", false],
    ["", "", true],
  ];
  for (const [left, right, same] of table) assertEquals(sameVersion(left, right), same, `${left} ${right}`);
});

function show({ before, restarted, now, imageVersion, hint }: ConfirmationFacts): string {
  return JSON.stringify({ before, restarted, now, imageVersion, hint });
}
