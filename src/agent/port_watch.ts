import { within } from "../deadline.ts";
import { socketsOnPort, type TcpSocket } from "../tcp_table.ts";
import type { World } from "../world.ts";
import type { ConnectedPeers } from "./classic_phases.ts";

/** For the probe that replaces the kernel's table where there is none. */
const PROBE_TIMEOUT = 1_000;

/** What the kernel's table shows while a process is connected to a peer. */
const CONNECTED: ReadonlySet<TcpSocket["state"]> = new Set(["established", "close-wait"]);

/**
 * Whether something listens on the port. The kernel's table tells without disturbing it; where there is none, a
 * connection is opened and closed at once, which costs the C agent one failed handshake.
 */
export async function isListening(port: number, world: World, signal: AbortSignal): Promise<boolean> {
  const sockets = await socketsOnPort(port, world.files);
  if (sockets !== undefined) return sockets.some(({ state }) => state === "listen");
  try {
    const { clock } = world;
    await within(
      { clock, milliseconds: PROBE_TIMEOUT, signal, what: "the probe" },
      (signal) => world.localAddressTowards("127.0.0.1", port, signal),
    );
    return true;
  } catch {
    // Refused, or too slow: either way nobody can be served there now.
    signal.throwIfAborted();
    return false;
  }
}

/** Who is connected to the port. */
export async function connectedPeers(port: number, world: World): Promise<ConnectedPeers> {
  const sockets = await socketsOnPort(port, world.files);
  return sockets?.filter(({ state }) => CONNECTED.has(state))
    .map((socket) => socket.remoteAddress ?? "an IPv6 address");
}
