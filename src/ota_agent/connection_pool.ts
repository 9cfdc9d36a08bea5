import type { PeerConnection } from "./peer_connection.ts";

/** A connection's place in the pool. */
export interface PoolPlace extends Disposable {
  /** Aborted when the connection had to make room for a newer one. */
  readonly signal: AbortSignal;
  /** From now on the connection keeps its place until it is disposed. */
  keep(): void;
}

interface Guest {
  readonly connection: PeerConnection;
  readonly evict: AbortController;
  isKept: boolean;
}

/** The reason of a place's signal. */
export const EVICTED = new Error("Cannot keep the connection: too many newer ones");

/**
 * Bounds how many connections are open at once. Strangers can fill every place and stay silent, so a newcomer is
 * not turned away: the oldest that has shown no certificate goes, those from other addresses than the device's first.
 */
export class ConnectionPool {
  readonly #places: number;
  readonly #favoured: string | undefined;
  readonly #guests = new Set<Guest>();

  /** `favoured` is the device's address where it is known. */
  constructor(places: number, favoured: string | undefined) {
    this.#places = places;
    this.#favoured = favoured;
  }

  /** A place for the connection, or `undefined` when all are kept by others. */
  admit(connection: PeerConnection): PoolPlace | undefined {
    if (this.#guests.size >= this.#places) {
      const victim = this.#victim();
      if (victim === undefined) return undefined;
      this.#guests.delete(victim);
      victim.evict.abort(EVICTED);
    }
    const guest: Guest = { connection, evict: new AbortController(), isKept: false };
    this.#guests.add(guest);
    return {
      signal: guest.evict.signal,
      keep: () => {
        guest.isKept = true;
      },
      [Symbol.dispose]: () => void this.#guests.delete(guest),
    };
  }

  #victim(): Guest | undefined {
    const removable = [...this.#guests].filter((guest) => !guest.isKept);
    return removable.find((guest) => guest.connection.address !== this.#favoured) ?? removable[0];
  }
}
