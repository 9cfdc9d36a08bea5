import { DeadlineError, within } from "../deadline.ts";
import { LOOKS_TO_BE_GONE, socketsOnPort, type TcpSocket } from "../tcp_table.ts";
import { untilAborted } from "../until_aborted.ts";
import type { Clock, Files, TlsConnection } from "../world.ts";

/**
 * What the operating system knows of one connection: `unknown` where it does not tell, `gone` when it has no such
 * connection any more, which after our half-close means that it was reset.
 */
export type KernelView = TcpSocket | "unknown" | "gone";

/** Looks up one connection in the kernel's table. */
export class DeliveryView {
  readonly #files: Files;
  readonly #ends: { readonly localPort: number; readonly address: string; readonly port: number };
  #wasSeen = false;

  /** `ends`: our port, and the peer's address and port. */
  constructor(
    files: Files,
    ends: { readonly localPort: number; readonly address: string; readonly port: number },
  ) {
    this.#files = files;
    this.#ends = ends;
  }

  /** Makes sure, while the connection certainly is there, that the table shows it. */
  async calibrate(): Promise<void> {
    for (let look = 0; look < LOOKS_TO_BE_GONE && !this.#wasSeen; look++) await this.look();
  }

  /** Absence proves something only for a connection that the table has shown before. */
  async look(): Promise<KernelView> {
    const { localPort, address, port } = this.#ends;
    const sockets = await socketsOnPort(localPort, this.#files);
    if (sockets === undefined) return "unknown";
    const ours = sockets.find((socket) =>
      socket.remotePort === port &&
      (socket.remoteAddress ?? address) === address && socket.state !== "listen"
    );
    if (ours) this.#wasSeen = true;
    return ours ?? (this.#wasSeen ? "gone" : "unknown");
  }
}

/** What the kernel's view says of the peer's close: see {@linkcode judgeClose}. */
export type CloseVerdict = "acknowledged" | "undelivered" | "gone" | "unknown" | "wait";

/** What the transport below a connection tells of its end. */
export type ConnectionEnd = Pick<TlsConnection, "transportEnd" | "isBroken">;

/** A device that said goodbye but leaves its socket open sends no FIN; it has acknowledged everything by then. */
const FIN_PATIENCE = 2_000;

/** Between two looks. */
const LOOK_INTERVAL = 20;

/**
 * Whether a peer that closed after our half-close had taken everything. A close alone does not say so: a device that
 * gives up in the middle closes as well, while megabytes may still lie in the socket buffers. After an orderly end
 * our side is in TIME-WAIT (RFC 9293, 3.6). When the connection is gone, it broke, or the peer was quicker with its
 * FIN than we with ours and has acknowledged both: then the transport has to tell.
 */
export function judgeClose(
  view: KernelView,
  seen: { readonly goneInARow: number; readonly waited: number; readonly patience: number },
): CloseVerdict {
  if (view === "unknown") return "unknown";
  if (view === "gone") return seen.goneInARow >= LOOKS_TO_BE_GONE ? "gone" : "wait";
  if (view.state === "time-wait") return "acknowledged";
  if (view.state === "fin-wait-2" && seen.waited >= FIN_PATIENCE) return "acknowledged";
  return seen.waited >= Math.max(seen.patience, FIN_PATIENCE) ? "undelivered" : "wait";
}

/**
 * What the peer's close proves, by the kernel's table and where it does not tell by the transport's end; `patience`
 * bounds the wait for bytes still on their way.
 */
export async function closeReceipt(
  view: DeliveryView,
  connection: ConnectionEnd,
  bounds: { readonly clock: Clock; readonly patience: number; readonly signal: AbortSignal },
): Promise<"acknowledged" | "closed" | "lost"> {
  const { clock, patience, signal } = bounds;
  const start = clock.now();
  const inTime = <Told>(told: Promise<Told>): Promise<Told | undefined> =>
    within(
      { clock, milliseconds: FIN_PATIENCE, signal, what: "the end of the connection" },
      (signal) => untilAborted(told, signal),
    ).catch((error) => {
      if (error instanceof DeadlineError) return undefined;
      throw error;
    });
  for (let goneInARow = 0;;) {
    const seen = await view.look();
    goneInARow = seen === "gone" ? goneInARow + 1 : 0;
    switch (judgeClose(seen, { goneInARow, waited: clock.now() - start, patience })) {
      case "acknowledged":
        return "acknowledged";
      case "undelivered":
        return "lost";
      case "gone":
        return await inTime(connection.isBroken()) === false ? "acknowledged" : "lost";
      case "unknown":
        return await inTime(connection.transportEnd) === "reset" ? "lost" : "closed";
      case "wait":
        await clock.sleep(LOOK_INTERVAL, signal);
    }
  }
}
