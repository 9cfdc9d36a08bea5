import { buildEspApp } from "../builders/esp_image.ts";
import { buildArtifact } from "../builders/oci_artifact.ts";
import { buildFirmwareImage, type OciImage } from "../builders/oci_image.ts";
import {
  keyLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { readSchema, schemaFaults } from "../image/json_schema.ts";
import { type ProgramRun, runProgram } from "../lab/program.ts";
import { type LabRegistry, startRegistry } from "../lab/registry.ts";

/** What an attacker would like a terminal to do: clear the screen, change the title, write right to left. */
export const HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\u202e\u009b31mOK";

/** The platforms, in the order of the index. */
const CHIPS = ["esp32s3", "esp32", "esp32c6"];

/** A registry with a signed image for three platforms, and keys to verify it with. */
export class InspectScene implements AsyncDisposable {
  /** Open to everybody. */
  readonly registry: LabRegistry;
  /** Holds the keys, local files, and the temporary files of every run. */
  readonly directory: string;
  /** An index for esp32s3, esp32, and esp32c6 whose file is in truth built for the esp32; with attestations. */
  readonly image: OciImage;
  /** Its `HOST/REPOSITORY:TAG`. */
  readonly reference: string;
  /** What the esp32s3 would get. */
  readonly firmware: Uint8Array;

  private constructor(registry: LabRegistry, directory: string) {
    this.registry = registry;
    this.directory = directory;
    this.firmware = buildEspApp({ chip: "esp32s3", version: "1.1.0", project: "thermo", size: 40_000 });
    const other = buildEspApp({ chip: "esp32", version: "1.1.0", project: "thermo", size: 40_000 });
    const image = buildFirmwareImage({
      format: "oci",
      attestations: true,
      platforms: CHIPS.map((architecture) => ({
        architecture,
        firmware: architecture === "esp32s3" ? this.firmware : other,
        editManifest: (manifest) => ({ ...manifest, annotations: { "org.example.note": `${HOSTILE} note` } }),
      })),
    });
    this.image = image;
    this.reference = registry.put(image, "team/thermo", "1.1.0");
  }

  static async open(): Promise<InspectScene> {
    const registry = await startRegistry();
    const scene = new InspectScene(registry, await Deno.makeTempDir({ prefix: "inspect-test-" }));
    const [key, other] = [signingKey(), signingKey()];
    await Deno.mkdir(`${scene.directory}/tmp`);
    await Deno.writeTextFile(`${scene.directory}/cosign.pub`, key.publicPem);
    await Deno.writeTextFile(`${scene.directory}/other.pub`, other.publicPem);
    const { digest } = scene.image.descriptor;
    const payload = simpleSigningPayload({ digest, reference: `${registry.host}/team/thermo` });
    registry.put(signatureManifest([keyLayer(payload, key)]), "team/thermo", signatureTag(digest));
    return scene;
  }

  /** An artifact of the same file, as ORAS pushes it. */
  putArtifact(): string {
    const files = [{ title: "thermo.bin", bytes: new Uint8Array(this.firmware) }];
    return this.registry.put(
      buildArtifact({ artifactType: "application/vnd.example.firmware", files }),
      "team/artifact",
      "1",
    );
  }

  /** A local file; returns its path. */
  async file(name: string, bytes: Uint8Array): Promise<string> {
    const path = `${this.directory}/${name}`;
    await Deno.writeFile(path, bytes);
    return path;
  }

  /** Runs `flashjob inspect`; what is left in its directory for temporary files is an error. */
  async inspect(...args: string[]): Promise<ProgramRun> {
    const run = await runProgram(["inspect", ...args], { environment: { TMPDIR: `${this.directory}/tmp` } });
    const left = await Array.fromAsync(Deno.readDir(`${this.directory}/tmp`));
    if (left.length > 0) throw new Error(`inspect left '${left[0]?.name}' behind`);
    return run;
  }

  /** Runs it with `--output json`; a result that is not as its schema says is an error. */
  async inspectJson(...args: string[]): Promise<{ readonly code: number; readonly json: InspectJson }> {
    const { code, stdout, stderr } = await this.inspect(...args, "--output", "json");
    if (stdout === "") throw new Error(`inspect printed no JSON: ${stderr}`);
    const json = JSON.parse(stdout);
    const faults = schemaFaults(json, readSchema("inspect.schema.json"));
    if (faults.length > 0) throw new Error(`inspect's JSON is not as its schema says: ${faults.join("; ")}`);
    return { code, json };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** As much of the JSON as the tests look at; the schema holds all of it. */
export interface InspectJson {
  readonly outcome: string;
  readonly message?: string;
  readonly image?: {
    readonly digest: string;
    readonly entries: readonly {
      readonly kind: string;
      readonly platform?: string;
      readonly artifactType?: string;
      readonly digest: string;
      readonly size: number;
      readonly contentSize: number;
      readonly annotations: Readonly<Record<string, string>>;
      readonly layers: readonly { readonly annotations: Readonly<Record<string, string>> }[];
    }[];
  };
  readonly firmware?: {
    readonly path: string;
    readonly sha256: string;
    readonly foundIn?: { readonly platform: string; readonly manifestDigest: string };
    readonly file: {
      readonly kind: string;
      readonly what?: string;
      readonly image?: {
        readonly chip: { readonly name: string };
        readonly descriptor?: { readonly version: string; readonly project: string };
      };
    };
    readonly verdict: {
      readonly state: string;
      readonly device?: string;
      readonly refusals: readonly { readonly code: string; readonly exit: number }[];
      readonly overridden: readonly { readonly code: string }[];
      readonly warnings: readonly { readonly code: string }[];
    };
  };
  readonly signature?: { readonly state: string; readonly code?: string; readonly message: string };
}
