import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Belief, type Confirmation, watchReturn } from "../../src/device/confirmation_watch.ts";
import type { InfoReading } from "../../src/device/device_client.ts";
import type { Clock } from "../../src/world.ts";

/** Time that passes only by being slept, and by what a look takes. */
class StandingClock implements Clock {
  #now = 1_000_000;

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#now += milliseconds;
    return Promise.resolve();
  }
}

const NEVER = new AbortController().signal;
const TIMEOUT = 60_000;

const OLD: InfoReading = { kind: "info", info: { device: "esp32s3", version: "1.0.0", cut: false } };
const NEW: InfoReading = { kind: "info", info: { device: "esp32s3", version: "1.1.0", cut: false } };
const OTHER: InfoReading = { kind: "info", info: { device: "esp32c3", version: "1.1.0", cut: false } };
const ABSENT: InfoReading = { kind: "absent", found: "HTTP 404" };
const LOST: InfoReading = { kind: "silent", found: "no answer in time", sign: "nothing" };
const STALLED: InfoReading = { kind: "silent", found: "no answer in time", sign: "stalled" };
const REFUSED: InfoReading = { kind: "silent", found: "connection refused", sign: "refused" };
const BROKEN: InfoReading = { kind: "silent", found: "connection closed", sign: "broken" };

interface Scene {
  /** What is seen from which millisecond on; a single look may be one of several at the same time. */
  readonly script: readonly (readonly [from: number, reading: InfoReading])[];
  readonly before?: InfoReading;
  readonly imageVersion?: string;
  readonly hint?: string;
  /** Until when the device answers on a connection from before; never by default. */
  readonly upUntil?: number;
}

interface Watched extends Confirmation {
  /** Milliseconds until the verdict. */
  readonly after: number;
  readonly looks: number;
  readonly beliefs: readonly Belief[];
  readonly changes: readonly InfoReading[];
  /** How often the witness was asked. */
  readonly asked: number;
  /** When it began to hold a connection, in milliseconds. */
  readonly held: readonly number[];
}

/** Plays a device; every look takes 10 ms. */
async function watch(scene: Scene, signal = NEVER): Promise<Watched> {
  const clock = new StandingClock();
  const begun = clock.now();
  const changes: InfoReading[] = [];
  let looks = 0;
  let asked = 0;
  let isHeld = false;
  const held: number[] = [];
  const beliefs: Belief[] = [];
  const confirmation = await watchReturn({
    before: scene.before ?? OLD,
    imageVersion: scene.imageVersion ?? "1.1.0",
    hint: scene.hint,
    device: "esp32s3",
    sameDevice: (left, right) => left === right,
  }, {
    clock,
    signal,
    timeout: TIMEOUT,
    restartDelay: 3000,
    witness: {
      hold: () => Promise.resolve(void (isHeld ||= held.push(clock.now() - begun) > 0)),
      wasUp: () => {
        asked++;
        const wasUp = isHeld && clock.now() - begun < (scene.upUntil ?? 0);
        isHeld = false;
        return Promise.resolve(wasUp);
      },
    },
    onChange: (reading, belief) => {
      changes.push(reading);
      beliefs.push(belief);
    },
    look: async (signal) => {
      looks++;
      await clock.sleep(10, signal);
      const elapsed = clock.now() - begun;
      return scene.script.findLast(([from]) => from <= elapsed)?.[1] ?? OLD;
    },
  });
  return { ...confirmation, after: clock.now() - begun, looks, changes, beliefs, asked, held };
}

Deno.test("watchReturn: a device that is busy with the image right after the transfer has not restarted", async () => {
  const seen = await watch({ before: OLD, imageVersion: "1.0.0", script: [[200, LOST], [2900, OLD]] });
  assertEquals([seen.verdict, seen.restarted], ["rejected", false]);
});

Deno.test("watchReturn: the new version is believed when it stays for five seconds", async () => {
  const seen = await watch({ script: [[4000, LOST], [8000, NEW]] });
  assertEquals(seen.verdict, "confirmed-new");
  assert(seen.restarted && seen.after >= 13_000 && seen.after < 13_600, `${seen.after}`);
  assertEquals(seen.changes, [OLD, LOST, NEW]);
  assertEquals(seen.beliefs.at(-1), { verdict: "confirmed-new", stay: 5000 });
});

Deno.test("watchReturn: a new version that fails its self-test is a rollback, also where no outage was seen", async () => {
  const scripts: Scene["script"][] = [
    [[4000, REFUSED], [6000, NEW], [10_000, OLD]],
    [[6000, NEW], [9000, REFUSED], [10_000, OLD]],
    [[6000, NEW], [10_000, OLD]],
  ];
  for (const script of scripts) {
    const seen = await watch({ script });
    assertEquals([seen.verdict, seen.restarted], ["rolled-back", true]);
  }
});

Deno.test("watchReturn: a busy device that lets every look wait has not restarted", async () => {
  const seen = await watch({ before: NEW, script: [[0, NEW], [4000, STALLED], [9000, NEW]] });
  assertEquals([seen.verdict, seen.restarted], ["rejected", false]);
});

Deno.test("watchReturn: an answer that a restart cuts off counts with the silence that follows", async () => {
  const seen = await watch({ before: NEW, script: [[0, NEW], [4000, STALLED], [4500, LOST], [5000, NEW]] });
  assertEquals([seen.verdict, seen.restarted], ["confirmed-same", true]);
});

Deno.test("watchReturn: the same version needs a restart, and then five steady seconds", async () => {
  const seen = await watch({ before: NEW, script: [[0, NEW], [4000, REFUSED], [6000, NEW]] });
  assertEquals([seen.verdict, seen.restarted], ["confirmed-same", true]);
  assert(seen.after >= 11_000 && seen.after < 12_000, `${seen.after}`);
});

Deno.test("watchReturn: a device that was up while it was silent has not restarted, until it does", async () => {
  const away: Scene["script"] = [[0, NEW], [4000, REFUSED], [6000, NEW]];
  const stayed = await watch({ before: NEW, script: away, upUntil: Infinity });
  assertEquals([stayed.verdict, stayed.restarted, stayed.asked], ["rejected", false, 1]);
  assert(
    stayed.held.length === 2 && stayed.held[0] === 10 && (stayed.held[1] ?? 0) >= 6000,
    `${stayed.held}`,
  );
  const later = await watch({
    before: NEW,
    script: [...away, [12_000, LOST], [15_000, NEW]],
    upUntil: 12_000,
  });
  assertEquals([later.verdict, later.restarted, later.asked], ["confirmed-same", true, 2]);
});

Deno.test("watchReturn: single lost answers are no restart", async () => {
  const script: [number, InfoReading][] = [[0, NEW]];
  for (let at = 2000; at < TIMEOUT; at += 7000) script.push([at, LOST], [at + 300, NEW]);
  const seen = await watch({ before: NEW, script });
  assertEquals([seen.verdict, seen.restarted], ["rejected", false]);
});

Deno.test("watchReturn: exchanges that break off are no restart, however many", async () => {
  const seen = await watch({ before: NEW, script: [[0, NEW], [4000, BROKEN], [9000, NEW]] });
  assertEquals([seen.verdict, seen.restarted], ["rejected", false]);
});

Deno.test("watchReturn: one refused connection is a restart, and so are two lost answers", async () => {
  for (const gone of [[[4000, REFUSED], [4400, NEW]], [[4000, LOST], [5100, NEW]]] as const) {
    const seen = await watch({ before: NEW, script: [[0, NEW], ...gone] });
    assertEquals([seen.verdict, seen.restarted], ["confirmed-same", true]);
  }
});

Deno.test("watchReturn: a device that keeps its version and never restarts has rejected the image after half the time", async () => {
  const seen = await watch({ script: [] });
  assertEquals([seen.verdict, seen.restarted], ["rejected", false]);
  assert(seen.after >= TIMEOUT / 2 && seen.after < TIMEOUT / 2 + 1000, `${seen.after}`);
});

Deno.test("watchReturn: the old version after a restart is a rollback once it is steady", async () => {
  const seen = await watch({ script: [[4000, REFUSED], [7000, OLD]] });
  assertEquals(seen.verdict, "rolled-back");
  assert(seen.after >= 12_000 && seen.after < 13_000, `${seen.after}`);
});

Deno.test("watchReturn: old for a moment after the restart, then new, is the new version", async () => {
  const seen = await watch({ script: [[4000, REFUSED], [7000, OLD], [9000, LOST], [11_000, NEW]] });
  assertEquals(seen.verdict, "confirmed-new");
});

Deno.test("watchReturn: another device type is told at once", async () => {
  const seen = await watch({ script: [[4000, LOST], [6000, OTHER]] });
  assertEquals(seen.verdict, "other-device");
  assert(seen.after < 6600);
});

Deno.test("watchReturn: a version nobody wants counts only when it stays", async () => {
  const unwanted: InfoReading = { kind: "info", info: { version: "0.0.1", cut: false } };
  const seen = await watch({ script: [[4000, REFUSED], [6000, unwanted], [8000, NEW]] });
  assertEquals(seen.verdict, "confirmed-new");
  const stays = await watch({ script: [[4000, REFUSED], [6000, unwanted]] });
  assertEquals(stays.verdict, "unexpected-version");
  assert(stays.after >= 11_000);
});

Deno.test("watchReturn: a device that never comes back is given all of the time", async () => {
  const seen = await watch({ script: [[4000, LOST]] });
  assertEquals(seen.verdict, "not-returned");
  assert(seen.after >= TIMEOUT && seen.after < TIMEOUT + 1000, `${seen.after}`);
});

Deno.test("watchReturn: without /info a restart is unconfirmable after a quarter of the time, and none is a rejection", async () => {
  const restarts = await watch({ before: ABSENT, script: [[0, ABSENT], [4000, REFUSED], [6000, ABSENT]] });
  assertEquals(restarts.verdict, "unconfirmable");
  assert(restarts.after >= TIMEOUT / 4 && restarts.after < TIMEOUT / 2, `${restarts.after}`);
  const stays = await watch({ before: ABSENT, script: [[0, ABSENT]] });
  assertEquals(stays.verdict, "rejected");
});

Deno.test("watchReturn: /info that comes back late is still waited for", async () => {
  const seen = await watch({ script: [[4000, REFUSED], [6000, ABSENT], [14_000, NEW]] });
  assertEquals(seen.verdict, "confirmed-new");
});

Deno.test("watchReturn: a device whose first look was lost is not taken for updated by what it ran before", async () => {
  const same = await watch({ before: LOST, script: [[0, NEW]] });
  assertEquals(same.verdict, "rejected");
  const old = await watch({ before: LOST, script: [[0, OLD]] });
  assertEquals(old.verdict, "rejected");
  const restarted = await watch({ before: LOST, script: [[0, OLD], [4000, REFUSED], [6000, OLD]] });
  assertEquals(restarted.verdict, "unexpected-version");
});

Deno.test("watchReturn: looks are neither hammered nor few", async () => {
  const seen = await watch({ script: [] });
  assert(seen.looks >= 50 && seen.looks <= 70, `${seen.looks}`);
});

Deno.test("watchReturn: an abort ends it with its reason", async () => {
  const stop = new AbortController();
  const reason = new Error("told to stop");
  stop.abort(reason);
  assertEquals(await assertRejects(() => watch({ script: [] }, stop.signal), Error), reason);
});
