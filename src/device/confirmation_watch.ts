import type { Clock } from "../world.ts";
import { type ConfirmationFacts, type ConfirmationVerdict, judgeConfirmation } from "./confirmation.ts";
import type { InfoReading, SilenceSign } from "./device_client.ts";
import type { UptimeWitness } from "./uptime_witness.ts";

/** What the watch needs. */
export interface WatchOptions {
  /** Measures the watch. */
  readonly clock: Clock;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Milliseconds until the verdict is what it is by then. */
  readonly timeout: number;
  /** Milliseconds before which the device cannot restart; what is silent earlier is busy with the image. */
  readonly restartDelay: number;
  /** Looks at the device once. */
  readonly look: (signal: AbortSignal) => Promise<InfoReading>;
  /** Asked after each silence. */
  readonly witness: Pick<UptimeWitness, "hold" | "wasUp">;
  /** Told of every change in what is seen. */
  readonly onChange: (reading: InfoReading, belief: Belief) => void;
}

/** What a reading proves if it stays the same for some time. */
export interface Belief {
  /** What it proves then. */
  readonly verdict: ConfirmationVerdict;
  /** Milliseconds. */
  readonly stay: number;
}

/** What was seen and what it proves. */
export interface Confirmation {
  /** What it proves. */
  readonly verdict: ConfirmationVerdict;
  /** The last look. */
  readonly now: InfoReading;
  /** Whether the device was seen to be gone. */
  readonly restarted: boolean;
}

/** Pauses between two looks: a device on its radio is not to be hammered, a fast one not to be missed. */
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 500;

/**
 * Watches a device through its restart until the verdict cannot change or the time is over.
 *
 * A device that says it is another is believed at once. A version counts only when it stays for a twelfth of the time
 * (5 s of 60): with the old one the device still waits 4 s before it restarts, with the new one it may yet fail its
 * self-test and roll back. A missing restart counts only after half of the time, and a missing device at the end. A
 * silence counts as a restart only once the device can be through with verifying the image, which keeps it just as
 * busy when it finds the image bad, and only where nothing shows that it was up meanwhile.
 */
export async function watchReturn(
  facts: Omit<ConfirmationFacts, "now" | "restarted">,
  options: WatchOptions,
): Promise<Confirmation> {
  const { clock, timeout, signal } = options;
  const pause = Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, timeout / 120));
  const begun = clock.now();
  let restarted = false;
  let isProven = false;
  let silences = 0;
  let seen = "";
  let since = begun;
  for (;;) {
    const mayRestart = clock.now() - begun >= options.restartDelay;
    const now = await options.look(signal);
    silences = now.kind === "silent" && mayRestart ? OUTAGE[now.sign](silences) : 0;
    restarted ||= silences >= 2;
    if (now.kind !== "silent" && !isProven) {
      // Asked before another connection may be opened: only one from before the silence can tell.
      isProven = restarted && !await options.witness.wasUp(signal);
      restarted = isProven;
      await options.witness.hold(signal);
    }
    const verdict = judgeConfirmation({ ...facts, restarted, now });
    if (describe(now) !== seen) {
      seen = describe(now);
      since = clock.now();
      options.onChange(now, { verdict, stay: PATIENCE[verdict].steady * timeout });
    }
    // What runs another version now has restarted, seen or not, and may do so again.
    if (verdict === "confirmed-new") restarted = isProven = true;
    const elapsed = clock.now() - begun;
    const patience = PATIENCE[verdict];
    const over = elapsed >= timeout;
    if (over || (patience.total * timeout <= elapsed && clock.now() - since >= patience.steady * timeout)) {
      return { verdict, now, restarted };
    }
    await clock.sleep(pause, signal);
  }
}

/**
 * How much of an outage is seen after one more silence, of which 2 is a restart: one lost answer is radio weather, a
 * refused connection is a machine that starts, and one that breaks an exchange off is up. A connection that stands
 * without an answer may be the last of a device that restarts, but however often it happens by itself, the device is
 * only busy.
 */
const OUTAGE: Record<SilenceSign, (silences: number) => number> = {
  "refused": () => 2,
  "nothing": (silences) => silences + 1,
  "stalled": () => 1,
  "broken": (silences) => silences,
};

/** Shares of the whole time: how long to watch at least, and how long the last look must have stayed the same. */
const PATIENCE: Record<ConfirmationVerdict, { readonly total: number; readonly steady: number }> = {
  "confirmed-new": { total: 0, steady: 1 / 12 },
  "other-device": { total: 0, steady: 0 },
  "unexpected-version": { total: 0, steady: 1 / 12 },
  "confirmed-same": { total: 0, steady: 1 / 12 },
  "rolled-back": { total: 0, steady: 1 / 12 },
  "unconfirmable": { total: 1 / 4, steady: 1 / 12 },
  "rejected": { total: 1 / 2, steady: 1 / 2 },
  "not-returned": { total: 1, steady: 0 },
};

function describe(reading: InfoReading): string {
  return reading.kind === "info" ? `${reading.info.device} ${reading.info.version}` : reading.kind;
}
