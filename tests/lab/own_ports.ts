/** A range of ports outside those which the system hands out by itself: no outgoing connection can take one. */
export class OwnPorts {
  readonly #first: number;
  readonly #count: number;
  #next: number;

  /** `count` ports from `first` on. */
  constructor(first: number, count: number) {
    this.#first = first;
    this.#count = count;
    this.#next = Math.floor(Math.random() * count);
  }

  /**
   * Listens on a port that this process has not used lately: whoever is out of reach for a moment finds his own again.
   */
  listen(hostname: string): Deno.TcpListener {
    for (let attempt = 1;; attempt++) {
      const port = this.#first + this.#next++ % this.#count;
      try {
        return Deno.listen({ hostname, port });
      } catch (error) {
        if (!(error instanceof Deno.errors.AddrInUse) || attempt === 100) throw error;
      }
    }
  }
}
