import { createHash } from "node:crypto";
import { untilAborted } from "../until_aborted.ts";
import type { World } from "../world.ts";
import type { AgentEvent, Delivery } from "./agent_event.ts";
import { closeReceipt, DeliveryView } from "./delivery_view.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import type { PeerConnection, PeerEnd } from "./peer_connection.ts";
import { TransferWatch } from "./transfer_watch.ts";

/** Devices may have a TLS input buffer of 4 KiB only, and each write becomes one record. */
const RECORD_BYTES = 4096;

/** One read of the file feeds 16 records. */
const READ_BYTES = 16 * RECORD_BYTES;

/** What a transfer needs beside its connection. */
export interface TransferOptions {
  /** Files and clock. */
  readonly world: World;
  /** The image. */
  readonly firmwarePath: string;
  /** Our port, by which the kernel knows the connection. */
  readonly localPort: number;
  /** Milliseconds without any progress after which the transfer is broken. */
  readonly idleTimeout: number;
  /** Ends the transfer; its reason is passed on. */
  readonly signal: AbortSignal;
  /** Told of the progress. */
  readonly onEvent: (event: AgentEvent) => void;
}

/** What a transfer proves; the session adds whose certificate it was. */
export type Transfer = Omit<Delivery, "certificateSha256">;

/**
 * Sends the firmware in records of at most 4096 bytes, half-closes, and waits for the peer's close as the receipt.
 * `peerEnd` is the pending end of the peer's side.
 *
 * Rejects with {@linkcode OtaAgentError}: `transfer-broken` or `firmware-unreadable`; with the signal's reason.
 */
export async function transferFirmware(
  connection: PeerConnection,
  peerEnd: Promise<PeerEnd>,
  options: TransferOptions,
): Promise<Transfer> {
  const { world, signal, onEvent } = options;
  const { peer, address, port } = connection;
  using file = await openFirmware(options);
  const totalBytes = await file.size();
  const view = new DeliveryView(world.files, { localPort: options.localPort, address, port });
  await view.calibrate();
  const start = world.clock.now();
  onEvent({ event: "sending", peer, totalBytes, handedOverBytes: 0 });
  await using watch = new TransferWatch(view, {
    clock: world.clock,
    idleTimeout: options.idleTimeout,
    recordBytes: RECORD_BYTES,
    sentBytes: () => connection.sentBytes,
    onProgress: (progress) => onEvent({ event: "sending", peer, totalBytes, ...progress }),
  });
  const broken = new AbortController();
  const breakWith = (found: string): void =>
    broken.abort(brokenTransfer(connection, watch, { totalBytes, found }));
  watch.stalled.then(() => breakWith(`nothing moved for ${options.idleTimeout} ms`), () => undefined);
  let isHandedOver = false;
  peerEnd.then((end) => {
    if (!isHandedOver) breakWith(`${endWords(end)} before it was sent to the end`);
  }, () => undefined);
  const either = AbortSignal.any([signal, broken.signal]);

  const hash = createHash("sha256");
  const buffer = new Uint8Array(READ_BYTES);
  for (let sent = 0; sent < totalBytes;) {
    const read = await file.read(buffer.subarray(0, Math.min(READ_BYTES, totalBytes - sent)));
    if (read === null) throw unreadable(options.firmwarePath, "it became shorter while it was sent");
    hash.update(buffer.subarray(0, read));
    for (let offset = 0; offset < read; offset += RECORD_BYTES) {
      const record = buffer.subarray(offset, Math.min(offset + RECORD_BYTES, read));
      await connection.write(record, either).catch((cause) => {
        either.throwIfAborted();
        throw brokenTransfer(connection, watch, { totalBytes, found: "the connection broke", cause });
      });
      watch.handedOver(record.length);
    }
    sent += read;
  }
  isHandedOver = true;
  await connection.closeWrite(either).catch((cause) => {
    either.throwIfAborted();
    throw brokenTransfer(connection, watch, { totalBytes, found: "the connection broke at its end", cause });
  });
  watch.handedOverAll();
  onEvent({ event: "half-closed", peer });

  const end = await untilAborted(peerEnd, either);
  if (end !== "closed") {
    throw brokenTransfer(connection, watch, { totalBytes, found: `${endWords(end)} instead of closing it` });
  }
  const receipt = await closeReceipt(view, connection, {
    clock: world.clock,
    patience: options.idleTimeout,
    signal: either,
  });
  if (receipt === "lost") {
    throw brokenTransfer(connection, watch, {
      totalBytes,
      found: "the device closed the connection without having taken everything",
    });
  }
  return { peer, bytes: totalBytes, sha256: hash.digest("hex"), receipt, ms: world.clock.now() - start };
}

async function openFirmware(options: TransferOptions): Promise<Awaited<ReturnType<World["files"]["open"]>>> {
  try {
    return await options.world.files.open(options.firmwarePath);
  } catch (cause) {
    throw unreadable(options.firmwarePath, "it cannot be opened", cause);
  }
}

function unreadable(path: string, found: string, cause?: unknown): OtaAgentError {
  return new OtaAgentError("firmware-unreadable", `Cannot read the firmware '${path}': ${found}`, { cause });
}

function brokenTransfer(
  connection: PeerConnection,
  watch: TransferWatch,
  what: { readonly totalBytes: number; readonly found: string; readonly cause?: unknown },
): OtaAgentError {
  return new OtaAgentError(
    "transfer-broken",
    `Cannot send the firmware to '${connection.peer}': ${what.found}, ${watch.handedOverBytes} of ` +
      `${what.totalBytes} bytes were handed over and the device's receipt is missing`,
    { cause: what.cause },
  );
}

function endWords(end: PeerEnd): string {
  switch (end) {
    case "closed":
      return "the device closed the connection";
    case "reset":
      return "the device reset the connection";
    case "babbled":
      return "the peer sent data as no device does";
  }
}
