import { untilAborted } from "../../src/until_aborted.ts";
import type { DeviceBehaviour } from "./device_behaviour.ts";
import { DeviceLink, type DialOptions } from "./device_link.ts";
import { DEVICE_TIMES } from "./device_timings.ts";
import { labClock } from "./lab_clock.ts";

/** One attempt of a device to reach the agent. */
export interface DialAttempt {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** What came of it: `connected`, or why not. */
  result: string;
  /** What it reached. */
  link?: DeviceLink;
}

/** What the OTA task works with. */
export interface OtaBoard {
  /** Whom to dial, how to judge it, and what ends everything. */
  readonly dial: DialOptions;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly behaviour: DeviceBehaviour;
  /** Bytes a fraction is a fraction of. */
  readonly expectedSize: number;
  /** Factor on every time. */
  readonly scale: number;
  /** Whether this is the first OTA since boot, which waits for ever for its first byte. */
  readonly isFirst: boolean;
  readonly attempts: DialAttempt[];
  /** Erases the inactive slot. */
  erase(): void;
  /** Writes to the inactive slot and returns how many bytes it holds now. */
  append(bytes: Uint8Array): number;
  /** Notes an event of the given name. */
  note(name: OtaEventName, detail?: string): void;
}

/** What an OTA task tells of itself. */
export type OtaEventName =
  | "dialling"
  | "connected"
  | "certificate sent"
  | "first byte"
  | "last byte"
  | "gave up"
  | "broken";

const MAXIMUM_ATTEMPTS = 20;
/** Between the two halves of a certificate that leaves in two writes. */
const BETWEEN_HALVES = 300;

/** Fetches an image from the agent. Returns whether the stream came to an end; the image is still to be verified. */
export async function receiveImage(board: OtaBoard): Promise<boolean> {
  const { behaviour, dial } = board;
  if (behaviour.dials === "never") return false;
  if (behaviour.dials !== undefined && "after" in behaviour.dials) {
    await untilAborted(behaviour.dials.after, dial.signal);
  } else if (behaviour.dials !== undefined) {
    await pause(board, DEVICE_TIMES.betweenAttempts * (behaviour.dials.atAttempt - 1));
  }
  const silent = behaviour.dialsTwice === "at once" ? await dialAgent(board) : undefined;
  try {
    const whole = await receiveOnce(board, behaviour);
    if (whole || behaviour.dialsTwice !== "after a break" || dial.signal.aborted) return whole;
    await pause(board, DEVICE_TIMES.betweenAttempts);
    const { transfer: _once, ...healed } = behaviour;
    return await receiveOnce(board, healed);
  } finally {
    silent?.close();
  }
}

async function receiveOnce(board: OtaBoard, behaviour: DeviceBehaviour): Promise<boolean> {
  const link = await dialAgent(board);
  if (link === undefined) return false;
  try {
    await pause(board, DEVICE_TIMES.beforeCertificate);
    await sendCertificate(board, link);
    const ended = await readStream(board, behaviour, link);
    if (ended) await link.finish();
    return ended;
  } catch (error) {
    if (!board.dial.signal.aborted) board.note("broken", messageOf(error));
    return false;
  } finally {
    link.close();
  }
}

/** Up to 20 attempts, 4 s apart. */
async function dialAgent(board: OtaBoard): Promise<DeviceLink | undefined> {
  for (let number = 1; number <= MAXIMUM_ATTEMPTS; number++) {
    if (number > 1) await pause(board, DEVICE_TIMES.betweenAttempts);
    const attempt: DialAttempt = { at: Date.now(), result: "pending" };
    board.attempts.push(attempt);
    board.note("dialling", `${board.dial.hostname}:${board.dial.port}`);
    try {
      const link = await DeviceLink.dial(board.dial);
      attempt.result = "connected";
      attempt.link = link;
      board.note("connected");
      return link;
    } catch (error) {
      if (board.dial.signal.aborted) throw error;
      attempt.result = messageOf(error);
    }
  }
  board.note("gave up", `after ${MAXIMUM_ATTEMPTS} attempts`);
  return undefined;
}

async function sendCertificate(board: OtaBoard, link: DeviceLink): Promise<void> {
  if (board.behaviour.splitCertificate) {
    const half = board.certificate.length >> 1;
    await link.write(board.certificate.subarray(0, half));
    await pause(board, BETWEEN_HALVES);
    await link.write(board.certificate.subarray(half));
  } else {
    await link.write(board.certificate);
  }
  board.note("certificate sent");
}

/** Reads to the end of the stream. Returns false when the device stops before it. */
async function readStream(board: OtaBoard, behaviour: DeviceBehaviour, link: DeviceLink): Promise<boolean> {
  const { transfer, bytesPerSecond } = behaviour;
  const faultAt = transfer === undefined ? Infinity : transfer.fraction * board.expectedSize;
  const impatience = board.isFirst ? undefined : setTimeout(() => {
    board.note("gave up", "nothing came after the certificate");
    link.close();
  }, DEVICE_TIMES.givesUp * board.scale);
  try {
    await pause(board, DEVICE_TIMES.afterCertificate);
    for (let length = 0;;) {
      if (transfer !== undefined && length >= faultAt) return await stop(board, transfer.then, link);
      const bytes = await link.read();
      clearTimeout(impatience);
      if (bytes === null) {
        if (length > 0) board.note("last byte", `${length} bytes`);
        return length > 0;
      }
      if (length === 0) {
        board.erase();
        board.note("first byte");
      }
      // A fault happens at its byte, not at the end of the record that holds it.
      length = board.append(bytes.subarray(0, Math.min(bytes.length, Math.ceil(faultAt) - length)));
      if (bytesPerSecond !== undefined) await pause(board, bytes.length / bytesPerSecond * 1000);
    }
  } finally {
    clearTimeout(impatience);
  }
}

async function stop(board: OtaBoard, how: "stall" | "reset" | "close", link: DeviceLink): Promise<false> {
  board.note("broken", how);
  if (how === "stall") await ended(board.dial.signal);
  if (how === "close") await link.finish();
  if (how === "reset") link.reset();
  return false;
}

function pause(board: OtaBoard, milliseconds: number): Promise<void> {
  return labClock.sleep(milliseconds * board.scale, board.dial.signal);
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
