import { assertEquals, assertRejects } from "@std/assert";
import { CertsError, type CertsErrorCode } from "../../src/certs/certs_error.ts";
import type { PemPaths } from "../../src/certs/pem_pair.ts";
import { denoWorld } from "../../src/deno_world.ts";
import type { Log, World } from "../../src/world.ts";

/** A directory for certificates, a world whose warnings are kept, and paths in it. */
export class Workshop implements AsyncDisposable {
  readonly warnings: string[] = [];
  readonly world: World;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    const log: Log = {
      debug() {},
      info() {},
      warn: (message) => void this.warnings.push(message),
      error() {},
      room: () => log,
    };
    this.world = denoWorld(log);
  }

  static async open(): Promise<Workshop> {
    return new Workshop(await Deno.makeTempDir({ prefix: "certs-test-" }));
  }

  path(name: string): string {
    return `${this.#directory}/${name}`;
  }

  pair(name: string): PemPaths {
    return { certificate: this.path(`${name}.crt`), key: this.path(`${name}.key`) };
  }

  async files(): Promise<string[]> {
    return (await Array.fromAsync(Deno.readDir(this.#directory))).map((entry) => entry.name).sort();
  }

  /** Lays a pair there that was made elsewhere. */
  async put(name: string, pair: { readonly certificate: string; readonly key: string }): Promise<PemPaths> {
    const paths = this.pair(name);
    await Deno.writeTextFile(paths.certificate, pair.certificate);
    await Deno.writeTextFile(paths.key, pair.key);
    return paths;
  }

  /** The code an action is refused with; a refusal that leaves a file behind fails the test. */
  async refusal(action: () => Promise<unknown>): Promise<CertsErrorCode> {
    const before = await this.files();
    const { code } = await assertRejects(action, CertsError);
    assertEquals(await this.files(), before, "a refusal leaves no file");
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}
