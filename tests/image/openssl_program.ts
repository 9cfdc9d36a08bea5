/** What a run of the `openssl` program gave. */
export interface OpensslRun {
  /** Whether it left with 0. */
  readonly ok: boolean;
  /** Standard output and standard error together, for the message of a failing test. */
  readonly text: string;
}

/** A private directory in which the `openssl` program reads and writes; gone when disposed. */
export class OpensslDesk implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * A desk, or nothing where the program is not installed. A CI that lacks it fails: a cross-check that is
   * silently skipped proves nothing.
   */
  static async open(): Promise<OpensslDesk | undefined> {
    try {
      await new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" }).output();
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      if (Deno.env.get("CI") === "true") {
        throw new Error("Cannot cross-check signatures: 'openssl' is not installed, install it", { cause });
      }
      console.log("skipped: the program 'openssl' is not installed");
      return undefined;
    }
    return new OpensslDesk(await Deno.makeTempDir({ prefix: "openssl-desk-" }));
  }

  /** Runs the program in the desk's directory; names in `args` are names of files there. */
  async run(...args: string[]): Promise<OpensslRun> {
    const command = new Deno.Command("openssl", { args, cwd: this.#directory, stdin: "null" });
    const { success, stdout, stderr } = await command.output();
    return { ok: success, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  }

  /** Runs the program and insists that it succeeds. */
  async must(...args: string[]): Promise<void> {
    const { ok, text } = await this.run(...args);
    if (!ok) throw new Error(`Cannot run 'openssl ${args.join(" ")}': ${text}`);
  }

  /** Lays a file on the desk. */
  async put(name: string, content: Uint8Array | string): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${this.#directory}/${name}`, bytes);
  }

  /** Takes a file from the desk. */
  take(name: string): Promise<Uint8Array<ArrayBuffer>> {
    return Deno.readFile(`${this.#directory}/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}
